import { Result, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { EventLogServerAuthError } from "../../src/backend/EventLogServerAuth.ts"
import { EventLogServerStoreRegistryError } from "../../src/backend/EventLogServerStoreRegistry.ts"
import { StorageError, StoreErasedError } from "../../src/backend/StorageError.ts"
import {
  type Correlation,
  type DomainError,
  decodeResponseUnencrypted,
  ErrorReason,
  type ErrorUnencrypted,
  encodeResponseUnencrypted,
  RequestError,
  reasons,
  toErrorFrame
} from "../../src/wire/index.ts"
import { ProtocolResponse } from "./schemas.ts"

const request = { requestTag: "WriteEntries", id: 7, publicKey: "device-1" }
const secret = new Error("connect ECONNREFUSED db.internal:5432, table entries")

const registryError = (reason: EventLogServerStoreRegistryError["reason"]) =>
  new EventLogServerStoreRegistryError({ reason, publicKey: "device-2", message: String(secret), cause: secret })

/** The wire's promise to clients. Changing a row breaks those in the field. */
const promised: Readonly<Record<ErrorReason, readonly [code: ErrorUnencrypted["code"], retryable: boolean]>> = {
  NotProved: ["Unauthorized", false],
  BadProof: ["Unauthorized", false],
  Refused: ["Forbidden", false],
  NotMapped: ["InvalidRequest", false],
  AlreadyAssigned: ["InvalidRequest", false],
  Malformed: ["InvalidRequest", false],
  Limit: ["InvalidRequest", false],
  BadEntry: ["InvalidRequest", false],
  ClockSkew: ["InvalidRequest", true],
  FeedMismatch: ["InvalidRequest", false],
  Unavailable: ["Unavailable", true],
  RateLimited: ["Unavailable", true],
  ShuttingDown: ["Unavailable", true],
  Internal: ["InternalServerError", false]
}

describe("toErrorFrame", () => {
  it.each(Object.entries(promised))("%s is %j", (reason, [code, retryable]) => {
    expect(reasons[reason as ErrorReason]).toEqual({ code, retryable })
    const frame = toErrorFrame(new RequestError({ reason: reason as ErrorReason, message: "It says why" }), request)
    expect(frame).toStrictEqual({ _tag: "Error", ...request, code, reason, message: "It says why", retryable })
  })

  it("knows every reason", () => {
    expect(Object.keys(reasons).toSorted()).toEqual(ErrorReason.literals.toSorted())
  })

  it.each<[string, DomainError, ErrorReason, ErrorUnencrypted["code"]]>([
    [
      "a storage that is away",
      new StorageError({ operation: "FeedStore.append", retryable: true, cause: secret }),
      "Unavailable",
      "Unavailable"
    ],
    [
      "a storage that failed",
      new StorageError({ operation: "FeedStore.append", retryable: false, cause: secret }),
      "Internal",
      "InternalServerError"
    ],
    ["an erased store", new StoreErasedError({ storeId: "store-of-others" }), "NotMapped", "InvalidRequest"],
    [
      "a client that may not",
      new EventLogServerAuthError({ reason: "Forbidden", publicKey: "device-2" }),
      "Refused",
      "Forbidden"
    ],
    [
      "a client that nobody knows",
      new EventLogServerAuthError({ reason: "Unauthorized", publicKey: "device-2" }),
      "Refused",
      "Unauthorized"
    ],
    ["a key without a store", registryError("NotMapped"), "NotMapped", "InvalidRequest"],
    ["a key of another store", registryError("AlreadyAssigned"), "AlreadyAssigned", "InvalidRequest"],
    ["a registry that is away", registryError("Unavailable"), "Unavailable", "Unavailable"]
  ])("tells of %s without telling what only the server may know", (_, error, reason, code) => {
    const frame = toErrorFrame(error, request)
    expect(frame).toMatchObject({ ...request, code, reason, retryable: promised[reason][1] })
    expect(frame.message).not.toBe("")
    expect(JSON.stringify(frame)).not.toMatch(/ECONNREFUSED|FeedStore|store-of-others|device-2/)
  })

  it("passes on what an app says to its clients", () => {
    const error = new EventLogServerAuthError({ reason: "Forbidden", publicKey: "k", message: "Your plan has ended" })
    expect(toErrorFrame(error, request).message).toBe("Your plan has ended")
  })

  it("names the entries at fault", () => {
    const entryIds = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)]
    const frame = toErrorFrame(new RequestError({ reason: "BadEntry", message: "No", entryIds }), request)
    expect(frame.entryIds).toStrictEqual(entryIds)
  })

  it.each<[string, Correlation]>([
    ["nothing but the tag", { requestTag: "RequestChanges" }],
    ["an id", { requestTag: "WriteEntries", id: 0 }],
    ["a key", { requestTag: "RequestChanges", publicKey: "device-1", id: undefined }]
  ])("names the request by %s, and survives the way to the client", (_, correlation) => {
    const sent = toErrorFrame(new RequestError({ reason: "Internal", message: "No" }), correlation)
    expect(Schema.is(ProtocolResponse)(sent)).toBe(true)
    expect(sent).toMatchObject(JSON.parse(JSON.stringify(correlation)))
    expect("id" in sent).toBe(correlation.id !== undefined)
    expect(Result.getOrThrow(decodeResponseUnencrypted(encodeResponseUnencrypted(sent)))).toStrictEqual(sent)
  })

  it("survives a message that was cut inside a character", () => {
    const cut = new EventLogServerAuthError({ reason: "Forbidden", publicKey: "k", message: "No 🎉".slice(0, -1) })
    const sent = toErrorFrame(cut, request)
    expect(Result.getOrThrow(decodeResponseUnencrypted(encodeResponseUnencrypted(sent)))).toStrictEqual(sent)
  })
})
