import { EventLogClient, generateIdentity, layerJournalIndexedDb } from "@eventlog-server/core/client"
import { Effect, Layer, ManagedRuntime, Schema } from "effect"
import { EventGroup, EventJournal, EventLog } from "effect/eventlog"

/** Which journal a device has. */
export type Kind = "effect" | "ours"

const Todos = EventGroup.empty.add({
  tag: "TodoAdded",
  primaryKey: ({ id }) => id,
  payload: Schema.Struct({ id: Schema.String, text: Schema.String })
})
const schema = EventLog.schema(Todos)
const handlers = EventLog.group(Todos, (on) => on.handle("TodoAdded", () => Effect.void))

let bytes = 0
class CountingWebSocket extends WebSocket {
  constructor(url: string | URL, protocols?: string | Array<string>) {
    super(url, protocols)
    this.addEventListener("message", ({ data }) => {
      bytes += data.byteLength ?? data.size
    })
  }
}

let longest = 0
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) longest = Math.max(longest, duration)
}).observe({ type: "longtask", buffered: true })

const journals = {
  effect: EventJournal.layerIndexedDb({ database: "effect" }),
  ours: layerJournalIndexedDb({ database: "ours" })
}

/** One identity for each journal, beyond reloads. */
const identityOf = async (kind: Kind) => {
  const kept = localStorage.getItem(kind)
  if (kept !== null) return EventLog.decodeIdentityString(kept)
  const identity = await Effect.runPromise(generateIdentity)
  localStorage.setItem(kind, EventLog.encodeIdentityString(identity))
  return identity
}

const deviceOf = async (kind: Kind, url: string) => {
  const identity = await identityOf(kind)
  return ManagedRuntime.make(
    EventLogClient.layer({ url, WebSocket: CountingWebSocket }).pipe(
      Layer.provideMerge(EventLog.layer(schema, handlers)),
      Layer.provideMerge([journals[kind], Layer.succeed(EventLog.Identity, identity)])
    )
  )
}

/** What a device does while it is measured. */
const device = {
  publicKey: async (kind: Kind) => (await identityOf(kind)).publicKey,
  /** Receives a history up to a sequence. */
  receive: async (kind: Kind, url: string, until: number) => {
    const began = performance.now()
    const runtime = await deviceOf(kind, url)
    const journal = await runtime.runPromise(EventJournal.EventJournal)
    const { remoteId } = await untilStatus(runtime, ({ remoteId }) => remoteId !== undefined)
    while ((await runtime.runPromise(journal.nextRemoteSequence(remoteId!))) <= until) await pause(20)
    const millis = performance.now() - began
    await runtime.dispose()
    return { millis, longest, bytes }
  },
  /** Writes entries without a connection. */
  write: async (kind: Kind, count: number) => {
    const runtime = await deviceOf(kind, "ws://localhost:1")
    const log = await runtime.runPromise(EventLog.EventLog)
    const event = (index: number) =>
      ({ event: "TodoAdded", payload: { id: `${index}`, text: "a todo to be sent" } }) as const
    for (let from = 0; from < count; from += 1_000) {
      const rest = Array.from({ length: Math.min(1_000, count - from) - 1 }, (_, index) => event(from + index + 1))
      await runtime.runPromise(log.writeMany({ schema, events: [event(from), ...rest] }))
    }
    await runtime.dispose()
  },
  /** Sends what is unsent; the longest pause between two statuses, once online, is how long a user sees no progress. */
  send: async (kind: Kind, url: string, count: number) => {
    const began = performance.now()
    let last: number | undefined
    let stillest = 0
    const runtime = await deviceOf(kind, url)
    const client = await runtime.runPromise(EventLogClient)
    client.subscribe(({ connection }) => {
      if (connection !== "online") return
      const now = performance.now()
      stillest = Math.max(stillest, now - (last ?? now))
      last = now
    })
    const counted = client.status().pendingWrites
    await untilStatus(runtime, ({ pendingWrites }) => pendingWrites > 0)
    await untilStatus(runtime, ({ pendingWrites }) => pendingWrites === 0)
    const millis = performance.now() - began
    await runtime.dispose()
    return { millis, longest, stillest, known: counted === count }
  }
}
export type Device = typeof device
Object.assign(globalThis, { device })

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

type Status = ReturnType<EventLogClient["Service"]["status"]>

const untilStatus = async (
  runtime: { readonly runPromise: (effect: typeof EventLogClient) => Promise<EventLogClient["Service"]> },
  fits: (status: Status) => boolean
): Promise<Status> => {
  const client = await runtime.runPromise(EventLogClient)
  return new Promise((resolve) => {
    const end = client.subscribe((status) => look(status))
    const look = (status: Status) => {
      if (!fits(status)) return
      end()
      resolve(status)
    }
    look(client.status())
  })
}
