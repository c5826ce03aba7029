import { expect, it } from "vitest"
import { StorageError } from "../../src/index.ts"

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
