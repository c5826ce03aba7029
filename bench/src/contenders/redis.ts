import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { StorageInUse } from "./StorageInUse.ts"

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

/** Starts a Redis of its own (`REDIS_SERVER` names another binary), in memory: an Ack is worth what Redis keeps. */
export const openRedis = async (): Promise<StorageInUse> => {
  const folder = await mkdtemp(join(tmpdir(), "eventlog-bench-"))
  const port = await freePort()
  const options = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
  const child = spawn(process.env.REDIS_SERVER ?? "redis-server", options, { stdio: ["ignore", "pipe", "inherit"] })
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()))
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject)
    child.stdout.on("data", (text: Buffer) => text.includes("Ready to accept connections") && resolve())
    ended.then(() => reject(new Error("Redis ended before it was ready")))
  })
  const url = `redis://127.0.0.1:${port}`
  return {
    flags: ["--storage", "redis", "--url", url],
    url,
    close: async () => {
      child.kill("SIGKILL")
      await ended
      await rm(folder, { recursive: true, force: true })
    }
  }
}
