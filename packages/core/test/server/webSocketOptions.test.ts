import { expect, it } from "vitest"
import { WebSocketServer } from "ws"
import { webSocketOptions, webSocketWarning } from "../../src/adapter.ts"
import { defaultLimits } from "../../src/index.ts"
import { subprotocol } from "../../src/wire/index.ts"

const warningOf = (options: object): string | undefined =>
  webSocketWarning(defaultLimits, new WebSocketServer({ noServer: true, ...options }).options)

it("has nothing to warn of in a server with its options, nor in one that shows none", () => {
  expect(warningOf(webSocketOptions(defaultLimits))).toBeUndefined()
  expect(webSocketWarning(defaultLimits, undefined)).toBeUndefined()
  expect(webSocketWarning(defaultLimits, {})).toBeUndefined()
})

it.each([
  ["frames of the default size of ws", { maxPayload: 100 * 1024 * 1024 }, "104857600 bytes, not of 1048576"],
  ["frames of any size", { maxPayload: 0 }, "any number of bytes"],
  ["smaller frames than clients are told of", { maxPayload: 1_000 }, "1000 bytes"],
  ["compression", { perMessageDeflate: true }, "compresses"],
  ["pongs without a bound", { maxPendingAutoPongs: 0 }, "pongs"],
  ["a ws that has no bound for pongs", { maxPendingAutoPongs: undefined }, "pongs"]
])("warns of %s", (_, options, words) => {
  expect(warningOf({ ...webSocketOptions(defaultLimits), ...options })).toContain(words)
})

it("does not warn of pongs that the app sends itself", () => {
  const own = { autoPong: false, maxPendingAutoPongs: 0 }
  expect(warningOf({ ...webSocketOptions(defaultLimits), ...own })).toBeUndefined()
})

it.each([
  ["its own, among others", ["other", "eventlog.v2", subprotocol], subprotocol],
  ["none of other versions", ["eventlog.v2", "eventlog.v10"], false],
  ["nothing where nothing is offered", [], false],
  ["the first of what isn't its own", ["eventlog.v2", "bearer", "token"], "bearer"]
])("selects %s", (_, offered, selected) => {
  expect(webSocketOptions(defaultLimits).handleProtocols(new Set(offered))).toBe(selected)
})
