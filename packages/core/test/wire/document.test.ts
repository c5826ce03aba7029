import { createHash, createPrivateKey, createPublicKey } from "node:crypto"
import { readFileSync } from "node:fs"
import { Effect, Result, Schema } from "effect"
import { Event, EventLogSessionAuth } from "effect/eventlog"
import { describe, expect, it } from "vitest"
import {
  announcedLimits,
  decodeRequestUnencrypted,
  decodeResponseUnencrypted,
  defaultLimits,
  encodeRequestUnencrypted,
  encodeResponseUnencrypted,
  ProtocolRequestUnencrypted,
  ProtocolResponseUnencrypted,
  reasons
} from "../../src/wire/index.ts"
import { fromHex } from "./golden/index.ts"

const document = readFileSync(new URL("../../../../docs/wire-protocol.md", import.meta.url), "utf8")

/** The text under a heading, up to the next one. */
const section = (heading: string): string => {
  const [, text = ""] = document.split(`\n${heading}\n`)
  return text.split(/\n#/)[0]!
}

/** The rows of the first table in a text, as cells without marks. */
const rows = (text: string): ReadonlyArray<ReadonlyArray<string>> =>
  text
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) =>
      line
        .split("|")
        .map((cell) => cell.replaceAll("`", "").trim())
        .slice(1, -1)
    )

/** The blocks of hexadecimal digits: what they are, their bytes, and the fields that their remarks name. */
const blocks = [...document.matchAll(/```hex (\w+)\n(.*?)```/gs)].map(([, from, text]) => ({
  from: from!,
  bytes: fromHex(text!.replaceAll(/#.*/g, "")),
  remarks: [...text!.matchAll(/# (\w+): (".*"|\d+|true|false)$/gm)].map(([, name, value]) => [name, JSON.parse(value!)])
}))

/** Every field of a message that is no container and no bytes, as a name and a value, in order. */
const plainFields = (value: unknown): ReadonlyArray<readonly [string, unknown]> =>
  typeof value !== "object" || value === null || value instanceof Uint8Array
    ? []
    : Object.entries(value).flatMap(([name, field]) =>
        Array.isArray(value) || typeof field === "object" ? plainFields(field) : [[name, field] as const]
      )

const readRequest = (bytes: Uint8Array) => {
  const message = Result.getOrThrow(decodeRequestUnencrypted(bytes))
  return [message, encodeRequestUnencrypted(message)] as const
}

const readResponse = (bytes: Uint8Array) => {
  const message = Result.getOrThrow(decodeResponseUnencrypted(bytes))
  return [message, encodeResponseUnencrypted(message)] as const
}

const bytesOf = (from: string): Uint8Array => blocks.find((block) => block.from === from)!.bytes

describe("docs/wire-protocol.md", () => {
  const members = [...ProtocolRequestUnencrypted.members, ...ProtocolResponseUnencrypted.members]
  const fields = new Map(members.map(({ fields, tag }) => [tag, fields]))

  it.each([...fields])("names every field of %s, and which are optional", (tag, described) => {
    const documented = rows(section(`### \`${tag}\``)).filter(([name]) => !(name! in reasons))
    const optional = Object.entries(described).map(([name, field]) => [name, "optional" in field])
    expect(documented.map(([name, type]) => [name, type!.endsWith("optional")])).toEqual(optional)
  })

  it("lists every message, and no other", () => {
    const linked = [...section("## Messages").matchAll(/^\| \[`(\w+)`\]/gm)].map(([, tag]) => tag)
    expect(linked.toSorted()).toEqual([...fields.keys()].toSorted())
  })

  it("has the reasons, their codes and whether to try again", () => {
    const documented = rows(section("### `Error`"))
      .filter(([name]) => name! in reasons)
      .map(([name, code, retryable]) => [name, { code, retryable: retryable === "yes" }])
    expect(Object.fromEntries(documented)).toEqual(reasons)
  })

  it("has the announced limits and their defaults", () => {
    const documented = rows(section("## Limits")).map(([name, value]) => [name, Number(value!.replaceAll(",", ""))])
    expect(Object.fromEntries(documented)).toEqual(announcedLimits(defaultLimits))
  })

  it("shows an exchange whose frames are what they say", () => {
    const tags = blocks
      .filter(({ from }) => from === "client" || from === "server")
      .map(({ bytes, from, remarks }) => {
        const [message, again] = from === "client" ? readRequest(bytes) : readResponse(bytes)
        expect(again).toStrictEqual(bytes)
        expect(plainFields(message)).toEqual(remarks)
        return message._tag
      })
    expect(tags).toEqual([
      "Hello",
      "Authenticate",
      "Authenticated",
      "RequestChanges",
      "Subscribed",
      "CaughtUp",
      "WriteEntries",
      "Ack",
      "Changes",
      "RequestChanges",
      "Error",
      "StopChanges",
      "Ping",
      "Pong"
    ])
  })

  const hello = Result.getOrThrow(decodeResponseUnencrypted(bytesOf("server")))
  const proof = Result.getOrThrow(decodeRequestUnencrypted(bytesOf("client")))
  if (hello._tag !== "Hello" || proof._tag !== "Authenticate") throw new Error("The exchange begins in another way")

  it("shows a proof that holds", async () => {
    const claim = { ...proof, remoteId: hello.remoteId, challenge: hello.challenge! }
    expect(await Effect.runPromise(EventLogSessionAuth.encodeSessionAuthPayload(claim))).toStrictEqual(
      bytesOf("payload")
    )
    expect(await Effect.runPromise(EventLogSessionAuth.verifySessionAuthenticateRequest(claim))).toBe(true)
  })

  it("derives the signing key as effect's clients do", () => {
    const root = Uint8Array.from({ length: 32 }, (_, index) => index)
    const seed = createHash("sha256").update("effect/eventlog/identity/v1/signing\0").update(root).digest()
    expect(new Uint8Array(seed)).toStrictEqual(bytesOf("seed"))
    const pkcs8 = Buffer.concat([fromHex("302e020100300506032b657004220420"), seed])
    const key = createPublicKey(createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }))
    const spki = key.export({ format: "der", type: "spki" })
    expect(new Uint8Array(spki.subarray(-32))).toStrictEqual(proof.signingPublicKey)
  })

  it("shows a payload that effect reads", () => {
    const TodoAdded = Event.make({
      tag: "TodoAdded",
      primaryKey: ({ id }) => id,
      payload: Schema.Struct({ id: Schema.String, text: Schema.String })
    })
    const writes = blocks
      .filter(({ from }) => from === "client")
      .map(({ bytes }) => Result.getOrThrow(decodeRequestUnencrypted(bytes)))
      .filter((message) => message._tag === "WriteEntries")
    const payload = writes[0]!.entries[0]!.payload
    expect(Schema.decodeUnknownSync(TodoAdded.payloadSchemaBinary)(payload)).toEqual({ id: "t1", text: "Milk" })
  })
})
