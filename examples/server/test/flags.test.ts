import { describe, expect, it } from "vitest"
import { readFlags, UsageError } from "../src/flags.ts"

describe("the flags of examples/server", () => {
  it("have defaults", () => {
    expect(readFlags([])).toEqual({
      adapter: "fastify",
      storage: "memory",
      url: "",
      listen: false,
      host: "127.0.0.1",
      port: 9400,
      path: "/eventlog",
      sessionAuth: "required",
      compactOlderThan: undefined,
      map: []
    })
  })

  it("are read", () => {
    const args =
      "--adapter hono --storage memory --port 0 --path /a/b --session-auth off --map k=s --map k2===s2 --compact-older-than 60000"
    expect(readFlags(args.split(" "))).toMatchObject({
      adapter: "hono",
      port: 0,
      path: "/a/b",
      sessionAuth: "off",
      compactOlderThan: 60_000,
      map: [
        { publicKey: "k", storeId: "s" },
        { publicKey: "k2==", storeId: "s2" }
      ]
    })
  })

  it("are read for a storage", () => {
    expect(readFlags("--storage postgres --url postgres://localhost/db --listen".split(" "))).toMatchObject({
      storage: "postgres",
      url: "postgres://localhost/db",
      listen: true
    })
  })

  it.each([
    ["--verbose", "--verbose"],
    ["stray", "stray"],
    ["--adapter express", "fastify|hono"],
    ["--adapter toString", "fastify|hono"],
    ["--storage oracle", "memory|sqlite|pglite|postgres|mysql|redis"],
    ["--storage sqlite", "--url with a file"],
    ["--storage postgres --url=", "--url with postgres://"],
    ["--storage memory --url x", "takes no --url"],
    ["--port http", "--port"],
    ["--port 65536", "--port"],
    ["--port -1", "--port"],
    ["--path eventlog", "--path"],
    ["--path /:id", "--path"],
    ["--session-auth maybe", "required|off"],
    ["--map key", "KEY=STORE"],
    ["--map =store", "KEY=STORE"],
    ["--map key=", "KEY=STORE"],
    ["--compact-older-than soon", "milliseconds"],
    ["--port", "--port"]
  ])("refuse %s", (args, message) => {
    const read = () => readFlags(args.split(" "))
    expect(read).toThrow(UsageError)
    expect(read).toThrow(message)
  })
})
