import { describe, it } from "@effect/vitest"
import { schema, Todos, todosAdded } from "@eventlog-server/testkit/schema"
import { Effect, Layer, Tracer } from "effect"
import { EventLog } from "effect/eventlog"
import { expect } from "vitest"
import { EventLogServerUnencrypted, layer, layerAuthAllowAll, StoreId } from "../../src/effect.ts"
import { memoryBackend } from "../../src/index.ts"

const storeId = StoreId.make("store")

/** A tracer that keeps its spans. */
const makeTracer = () => {
  const spans: Array<Tracer.Span> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return { spans, layer: Layer.succeed(Tracer.Tracer, tracer) }
}

/** Has a server write two entries; answers the names of the spans that handlers ran in. */
const write = Effect.fnUntraced(function* () {
  const seen: Array<string | undefined> = []
  const handlers = EventLog.group(Todos, (group) =>
    group
      .handle("TodoAdded", () =>
        Effect.map(Effect.option(Effect.currentSpan), (span) => {
          seen.push(span._tag === "Some" ? span.value.name : undefined)
        })
      )
      .handle("TodoToggled", () => Effect.void)
  )
  const context = yield* Layer.build(
    layer(schema, handlers, { sessionAuth: "off" }).pipe(Layer.provide([memoryBackend().layer, layerAuthAllowAll]))
  )
  yield* Effect.gen(function* () {
    const server = yield* EventLogServerUnencrypted
    yield* server.writeToStore({ storeId, entries: todosAdded(2) })
    yield* server.processed({ storeId, sequence: 2 })
  }).pipe(Effect.provideContext(context))
  return seen
})

describe("what happens with every entry", () => {
  it.live("is traced where a tracer is installed", () => {
    const { layer, spans } = makeTracer()
    return Effect.gen(function* () {
      expect(yield* write()).toEqual(["eventlog.handler", "eventlog.handler"])
      const attributes = (name: string) =>
        spans.filter((span) => span.name === name).map((span) => Object.fromEntries(span.attributes))
      expect(attributes("EventLogServer.append")).toEqual([{ storeId, entries: 2 }])
      expect(attributes("eventlog.process")).toEqual([
        { "eventlog.store": storeId, "eventlog.first": 1, "eventlog.last": 2 }
      ])
      expect(attributes("eventlog.handler")).toMatchObject([
        { "eventlog.store": storeId, "eventlog.event": "TodoAdded" },
        { "eventlog.store": storeId, "eventlog.event": "TodoAdded" }
      ])
    }).pipe(Effect.provide(layer), Effect.scoped)
  })

  it.live("makes no spans where nobody could see them", () =>
    Effect.gen(function* () {
      expect(yield* write()).toEqual([undefined, undefined])
    }).pipe(Effect.scoped)
  )
})
