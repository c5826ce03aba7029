import { expect, it } from "vitest"
import { StatementCounter } from "../src/contenders/StatementCounter.ts"

/** A message of PostgreSQL's protocol: its type, its length without the type, its body. The first ones have no type. */
const message = (type: string, body = ""): Buffer => {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(4 + body.length)
  return Buffer.concat([Buffer.from(type), length, Buffer.from(body)])
}

/** What a driver sends: how it begins, a prepared statement that runs twice, a text, and the end. Three statements. */
const conversation = Buffer.concat([
  message("", "SSL?"),
  message("", "user\0somebody\0database\0test\0\0"),
  message("P", "find\0select store from keys where public_key = $1\0"),
  ...["first", "QQQQQEEEEE"].flatMap((key) => [message("B", `\0find\0${key}`), message("E", "\0"), message("S")]),
  message("Q", "commit\0"),
  message("X")
])

it("counts what PostgreSQL is to execute, however the bytes are cut", () => {
  for (let size = 1; size <= conversation.length; size++) {
    const counter = new StatementCounter()
    for (let at = 0; at < conversation.length; at += size) counter.take(conversation.subarray(at, at + size))
    expect([size, counter.count]).toEqual([size, 3])
  }
})
