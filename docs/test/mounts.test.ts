import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openDevice } from "./device.ts"
import { type Running, start } from "./process.ts"
import { folderOf, modules, pages, readSnippets } from "./snippets.ts"

const stopsAsItShould = async (server: Running, device: Awaited<ReturnType<typeof openDevice>>, exitCode: number) => {
  const ended = server.stop()
  const { lastError } = await device.until(({ connection }) => connection === "offline")
  expect(lastError?.cause).toMatchObject({ closeCode: 1012 })
  expect(await ended).toBe(exitCode)
}

describe("the servers in the documentation", { timeout: 60_000 }, () => {
  beforeAll(() => {
    for (const { file, text } of pages.flatMap(readSnippets)) {
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text)
    }
  })
  afterAll(() => rmSync(modules, { recursive: true, force: true }))

  it.each([
    { page: "README.md", name: "fastify.ts", prints: /shared Milk/, exitCode: 0 },
    { page: "README.md", name: "hono.ts", prints: /shared Milk/, exitCode: 0 },
    // 130 is NodeRuntime's code for a program that was interrupted.
    { page: "docs/getting-started.md", name: "effect.ts", prints: /1 todos/, exitCode: 130 }
  ])("$page: $name handles what a device writes, and ends on SIGTERM", async ({ exitCode, name, page, prints }) => {
    const server = await start(`${folderOf(page)}${name}`)
    const handled = server.prints(prints)
    const device = await openDevice(`ws://localhost:${server.port}/eventlog`)
    await device.add("Milk")
    await device.until(({ cursor, pendingWrites }) => cursor === 1 && pendingWrites === 0)
    await handled
    await stopsAsItShould(server, device, exitCode)
  })

  it("docs/getting-started.md: app.ts does what the page says", async () => {
    const server = await start(`${folderOf("docs/getting-started.md")}app.ts`)
    const headers = { cookie: "user=ann" }
    const device = await openDevice(`ws://localhost:${server.port}/eventlog`, headers)
    await device.add("Milk")
    await device.until(({ pendingWrites }) => pendingWrites === 0)

    const ask = async (path: string, body?: object) => {
      const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }
      const json = { "content-type": "application/json" }
      const response = await fetch(`http://localhost:${server.port}${path}`, {
        ...init,
        headers: { ...headers, ...json }
      })
      return response.json()
    }
    const list = await ask("/todos", { text: "Bread" })
    expect(Object.values(list)).toEqual(["Milk", "Bread"])
    expect(await ask("/history")).toEqual([
      { sequence: 1, event: "TodoAdded", author: expect.any(String) },
      { sequence: 2, event: "TodoAdded", author: null }
    ])
    expect(await ask("/stats")).toMatchObject({ connections: 1, committed: 2, replayed: 2 })
    await device.until(({ cursor }) => cursor === 2)
    await stopsAsItShould(server, device, 0)
  })
})
