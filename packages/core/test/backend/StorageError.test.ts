import { expect, it } from "vitest"
import { EventLogServerAuthError, EventLogServerStoreRegistryError, StorageError } from "../../src/index.ts"

it.each([
  [new Error("connection reset"), "Error: connection reset"],
  ["a text", '"a text"'],
  [undefined, "undefined"],
  [Object.assign(Object.create(null), { code: 5 }), '{"code":5}']
])("says what failed, whatever a driver throws: %o", (cause, text) => {
  const error = new StorageError({ operation: "FeedStore.read", retryable: true, cause })
  expect(error.message).toBe(`FeedStore.read failed for now: ${text}`)
})

it("keeps its message when its cause is replaced, as vitest does to errors that it shows", () => {
  const error = new StorageError({ operation: "FeedStore.id", retryable: false, cause: new Error("disk full") })
  Object.assign(error, { cause: Object.create(null) })
  expect(error.message).toBe("FeedStore.id failed: Error: disk full")
})

it("has something to say where nobody said it", () => {
  expect(new EventLogServerAuthError({ publicKey: "A", reason: "Forbidden" }).message).toBe("Refused")
  expect(new EventLogServerAuthError({ publicKey: "A", reason: "Forbidden", message: "Not you" }).message).toBe(
    "Not you"
  )
  for (const reason of ["NotMapped", "AlreadyAssigned", "Unavailable"] as const) {
    expect(new EventLogServerStoreRegistryError({ publicKey: "A", reason }).message).toMatch(/^The public key "A" .+/)
  }
})

it("says with it what to do, and what each of several hosts answered", () => {
  const cause = new AggregateError([new Error("::1 refused"), new Error("127.0.0.1 refused")])
  const error = new StorageError({ operation: "FeedAdmin.check", retryable: true, cause, advice: "Start it" })
  expect(error.message).toBe("FeedAdmin.check failed for now: Error: ::1 refused, Error: 127.0.0.1 refused. Start it")
})
