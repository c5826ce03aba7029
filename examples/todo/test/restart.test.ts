import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { buildExample, killLeftovers, spawnScript, startServer } from "./process.ts"

let script: URL
let folder: string

beforeAll(async () => {
  script = new URL("server.js", await buildExample("todo"))
  folder = await mkdtemp(join(tmpdir(), "todos-"))
}, 90_000)
afterAll(async () => {
  killLeftovers()
  await rm(folder, { recursive: true, force: true })
})

it.each(["SIGTERM", "SIGKILL"] as const)("keeps everything in its file over a %s", async (signal) => {
  const file = join(folder, `${signal}.db`)
  const start = () => startServer(script, ["--port", "0", "--data", file])
  const addTodo = async (url: string) => {
    const response = await fetch(`${url}/server-todo`, { method: "POST", headers: { cookie: "todo_user=ada" } })
    return response.json()
  }
  const first = await start()
  expect(await addTodo(first.url)).toEqual({ sequenceNumbers: [1] })
  await first.stop(signal)

  const second = await start()
  expect(await addTodo(second.url)).toEqual({ sequenceNumbers: [2] })
  expect(await second.stop()).toMatchObject({ code: 0, stderr: "" })
})

it("says so when the file can't be used", async () => {
  const { code, stderr } = await spawnScript(script, ["--port", "0", "--data", join(folder, "none", "x.db")]).ended
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^--data .*x\.db: .+\n$/)])
})
