import { Data, Effect, Schema } from "effect"
import { type Event, type EventGroup, EventJournal, type EventLog } from "effect/eventlog"
import type { StoreId } from "../backend/StoreId.ts"
import { checkStoreId } from "../connection/storeId.ts"
import { checkEntries } from "../ingest/checkEntries.ts"
import type { Ingest } from "../ingest/ingest.ts"
import type { WriteError, Written } from "../ingest/write.ts"
import type { Limits } from "../wire/limits.ts"
import { type InsideTransactionError, outsideTransactions } from "./insideTransaction.ts"

/** The schema has no such event, or the payload doesn't fit it. */
export class InvalidEventError extends Data.TaggedError("InvalidEventError")<{
  readonly event: string
  readonly cause: unknown
}> {
  override get message(): string {
    return `The event "${this.event}" can't be written: ${String(this.cause)}`
  }
}

/** What a server-authored write does besides appending. */
export interface ServerWriteOptions {
  /** `false` only sends the entries to subscribers: no handler, no reactivity, no conflicts. @default true */
  readonly runHandlers?: boolean | undefined
}

/** Appends entries that the server authored. They are checked like a client's; nobody is asked whether it may. */
export const writeToStore = (ingest: Ingest["Service"], limits: Limits) =>
  Effect.fn("EventLogServer.writeToStore")(function* (
    options: ServerWriteOptions & {
      readonly storeId: StoreId
      readonly entries: ReadonlyArray<EventJournal.Entry>
    },
    /** The clock that entry ids may not be far ahead of. */
    now: number
  ): Effect.fn.Return<Written, WriteError | InsideTransactionError> {
    const { entries, runHandlers } = options
    yield* outsideTransactions("write")
    const storeId = yield* checkStoreId(options.storeId)
    const flaw = checkEntries(entries, limits, now)
    if (flaw !== undefined) return yield* flaw
    return yield* Effect.callback<Written, WriteError>((resume) =>
      ingest.submit({ storeId, entries, author: null, transportOnly: runHandlers === false }, resume)
    )
  })

/** Makes the entry of an event that the server writes: a new id, the primary key of its payload, its encoding. */
export const makeEntry = Effect.fnUntraced(function* (
  events: ReadonlyMap<string, Event.AnyWithProps>,
  tag: string,
  payload: unknown
): Effect.fn.Return<EventJournal.Entry, InvalidEventError> {
  const invalid = (cause: unknown) => new InvalidEventError({ event: tag, cause })
  const event = events.get(tag)
  if (event === undefined) return yield* invalid("the schema has no such event")
  const encoded = yield* encodePayload(event, payload).pipe(Effect.mapError(invalid))
  const primaryKey = yield* Effect.try({ try: () => event.primaryKey(payload), catch: invalid })
  return new EventJournal.Entry(
    { id: EventJournal.makeEntryIdUnsafe(), event: tag, primaryKey, payload: encoded },
    { disableChecks: true }
  )
})

// The encoding services of an event are those of its handlers, which a server's own write runs without.
const encodePayload = (event: Event.AnyWithProps, payload: unknown) =>
  Schema.encodeUnknownEffect(event.payloadSchemaBinary)(payload) as Effect.Effect<Uint8Array, Schema.SchemaError>

/** The events of a schema by their tags. */
export const eventsOf = <Groups extends EventGroup.Any>(
  schema: EventLog.EventLogSchema<Groups>
): ReadonlyMap<string, Event.AnyWithProps> =>
  new Map(schema.groups.flatMap((group) => Object.entries((group as unknown as EventGroup.AnyWithProps).events)))
