import { openApp } from "@eventlog-server/testkit/devices"
import { Effect, Schema } from "effect"
import { EventGroup, EventLog } from "effect/eventlog"
import { describe, expect, it, onTestFinished } from "vitest"
import { upcast } from "../../src/evolution/index.ts"
import { allowAll, createEventLogServer, type HandlerInput, memoryBackend } from "../../src/index.ts"
import { host } from "../server/host.ts"

const byId = ({ id }: { readonly id: string }) => id
const Lasted = EventGroup.empty.add({
  tag: "Lasted",
  primaryKey: byId,
  payload: Schema.Struct({ id: Schema.String, minutes: Schema.Number })
})
const Timed = Lasted.add({
  tag: "Timed",
  primaryKey: byId,
  payload: Schema.Struct({ id: Schema.String, seconds: Schema.Number })
})
const schema = EventLog.schema(Timed)

type Old = { readonly id: string; readonly minutes: number }
type New = { readonly id: string; readonly seconds: number }
const inSeconds = ({ id, minutes }: Old): New => ({ id, seconds: 60 * minutes })

describe("upcast", () => {
  it("lets the handler of a new event have the old ones, on the server and on devices", async () => {
    const seen: Array<unknown> = []
    const timed = ({ author, conflicts, entry, payload, signal, storeId, transaction }: HandlerInput<New>) => {
      const others = conflicts.map(({ entry, payload }) => [entry.event, payload.seconds])
      seen.push([storeId, author, entry.event, payload, others, signal.aborted, transaction])
    }
    const server = createEventLogServer({
      schema,
      handlers: { Timed: timed, Lasted: upcast(timed, inSeconds) },
      backend: memoryBackend(),
      auth: allowAll,
      enroll: () => "ours"
    })
    onTestFinished(() => server.close())
    const url = await host(server)
    const onDevice: Array<New> = []
    const handler = ({ payload }: { readonly payload: New; readonly conflicts: ReadonlyArray<{ payload: New }> }) =>
      Effect.sync(() => void onDevice.push(payload))
    const device = await openApp({
      url,
      schema,
      handlers: EventLog.group(Timed, (on) => on.handle("Timed", handler).handle("Lasted", upcast(handler, inSeconds)))
    })
    await device.write({ event: "Lasted", payload: { id: "a", minutes: 2 } })
    await device.until(({ pendingWrites }) => pendingWrites === 0)
    await server.write({ storeId: "ours", event: "Timed", payload: { id: "a", seconds: 5 } })
    await server.processed({ storeId: "ours", sequence: 2 })
    await device.until(({ cursor }) => cursor === 2)
    expect(seen).toEqual([
      ["ours", device.publicKey, "Lasted", { id: "a", seconds: 120 }, [], false, undefined],
      ["ours", null, "Timed", { id: "a", seconds: 5 }, [], false, undefined]
    ])
    await expect
      .poll(() => onDevice)
      .toEqual([
        { id: "a", seconds: 120 },
        { id: "a", seconds: 5 }
      ])
  })

  it("changes the payloads of conflicts too, and hands on a signal that nobody made yet", () => {
    let made = 0
    class Input {
      readonly payload = { id: "a", minutes: 1 }
      readonly conflicts = [{ entry: "entry", payload: { id: "a", minutes: 2 } }]
      get signal() {
        made++
        return "signal"
      }
    }
    const told: Array<unknown> = []
    const handler = upcast(
      (input: {
        readonly payload: New
        readonly conflicts: ReadonlyArray<{ readonly entry: string; readonly payload: New }>
        readonly signal: string
      }) => {
        told.push(input.payload, input.conflicts, made)
        return input.signal
      },
      inSeconds
    )
    expect(handler(new Input())).toBe("signal")
    expect(told).toEqual([{ id: "a", seconds: 60 }, [{ entry: "entry", payload: { id: "a", seconds: 120 } }], 0])
  })
})
