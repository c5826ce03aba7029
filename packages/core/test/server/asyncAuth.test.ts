import { silent, todoAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { Context, Effect, Exit, Layer } from "effect"
import { describe, expect, it } from "vitest"
import { EventLogServerAuth } from "../../src/effect.ts"
import { allowAll, EventLogServerAuthError, refuse } from "../../src/index.ts"
import { layerAsyncAuth } from "../../src/server/asyncAuth.ts"
import { openDevice, startServer } from "./host.ts"

const storeId = "store"

const ask = (read: () => unknown) =>
  Layer.build(layerAsyncAuth({ ...allowAll, read }, undefined)).pipe(
    Effect.flatMap((context) => Effect.exit(Context.get(context, EventLogServerAuth).authorizeRead("A"))),
    Effect.scoped,
    Effect.runPromise
  )

const throwing = (thrown: unknown) => () => {
  throw thrown
}

describe("plain functions for auth", () => {
  it.each([undefined, null, false, 0, "no", {}])("allow whatever they answer: %s", async (answer) => {
    expect(Exit.isSuccess(await ask(() => answer))).toBe(true)
    expect(Exit.isSuccess(await ask(async () => answer))).toBe(true)
  })

  it.each([
    ["refuse()", () => refuse(), "Forbidden", "Refused"],
    ["refuse with a text", () => refuse("log in", { reason: "Unauthorized" }), "Unauthorized", "log in"],
    ["a rejection", async () => refuse("later"), "Forbidden", "later"],
    [
      "the error of the port",
      throwing(new EventLogServerAuthError({ reason: "Unauthorized", publicKey: "B", message: "no" })),
      "Unauthorized",
      "no"
    ],
    ["an error of another copy of this package", throwing({ _tag: "Refusal", message: "no" }), "Forbidden", "no"],
    ["a reason that is none", throwing({ _tag: "Refusal", reason: "Banana" }), "Forbidden", undefined],
    ["a message that is none", throwing({ _tag: "EventLogServerAuthError", message: {} }), "Forbidden", undefined]
  ])("refuse with %s", async (_, read, reason, message) => {
    expect(await ask(read)).toEqual(
      Exit.fail(new EventLogServerAuthError({ publicKey: "A", reason, message } as never))
    )
  })

  it.each([
    ["an error", new Error("away")],
    ["null", null],
    ["undefined", undefined],
    ["a string", "away"],
    ["a number", 404],
    ["another tag", { _tag: "Other" }]
  ])("are an outage when they throw %s", async (_, thrown) => {
    for (const read of [throwing(thrown), () => Promise.reject(thrown)]) {
      expect(await ask(read)).toEqual(Exit.die(thrown))
    }
  })

  it("answer a client that it may retry after an outage, and say nothing of it", async () => {
    const { server, url } = await startServer({
      auth: { read: throwing(null), write: throwing(new Error("secret host")) },
      logger: silent
    })
    await server.assign({ publicKey: "A", storeId })
    const device = await openDevice(url)
    const outage = { code: "Unavailable", reason: "Unavailable", retryable: true }
    expect(await device.subscribe("A")).toMatchObject(outage)
    const answer = await device.write("A", [todoAdded("a")])
    expect(answer).toMatchObject(outage)
    expect(JSON.stringify(answer)).not.toContain("secret")
  })
})

describe("enroll", () => {
  it.each([
    ["nothing", undefined],
    ["a number", 7],
    ["an empty string", ""],
    ["256 characters", "x".repeat(256)],
    ["U+0000", "a\u0000"],
    ["a lone surrogate", "\ud800"]
  ])("binds nothing when it answers %s, and the app is told", async (_, answer) => {
    const logged: Array<unknown> = []
    const { server, url } = await startServer({
      sessionAuth: "required",
      enroll: () => answer as string,
      logger: { debug: () => {}, info: () => {}, warn: () => {}, error: (...line) => logged.push(line) }
    })
    const device = await openDevice(url)
    device.send(await device.proof("A", makeSigningKey()))
    expect(await device.next("Error")).toMatchObject({ requestTag: "Authenticate", reason: "Unavailable" })
    expect(await server.keys()).toEqual([])
    expect(logged).toHaveLength(1)
  })
})
