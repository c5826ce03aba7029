import { Cause, Data, Effect, Exit, Schema } from "effect"
import type { EventJournal, EventLog } from "effect/eventlog"

/** A payload that its event's schema can't read, such as one that a newer version of the app wrote. */
export class UndecodablePayloadError extends Data.TaggedError("UndecodablePayloadError")<{
  readonly event: string
  readonly cause: unknown
}> {
  override get message(): string {
    return `The payload of a "${this.event}" can't be decoded: ${String(this.cause)}`
  }
}

/** A handler as `EventLog.group` registers it. */
export type Handler = Parameters<EventLog.Registry["Service"]["registerHandlerUnsafe"]>[0]["handler"]

type Decode = (payload: Uint8Array) => Effect.Effect<unknown, Schema.SchemaError>

/** An entry and its payload, as a handler gets its conflicts. */
export interface DecodedEntry {
  readonly entry: EventJournal.Entry
  readonly payload: unknown
}

/** Decodes payloads by the schema of their handler's event. */
export interface Payloads {
  readonly decode: (handler: Handler, entry: EventJournal.Entry) => Effect.Effect<unknown, UndecodablePayloadError>
  /** Decodes conflicts, leaving out those that can't be decoded. */
  readonly decodeAll: (
    handler: Handler,
    entries: ReadonlyArray<EventJournal.Entry>
  ) => Effect.Effect<ReadonlyArray<DecodedEntry>>
}

/** Makes a decoder once per handler; entries that conflict with several others are decoded once while they live. */
export const makePayloads = (): Payloads => {
  const decoders = new WeakMap<Handler, Decode>()
  const conflicts = new WeakMap<EventJournal.Entry, Exit.Exit<DecodedEntry, unknown>>()

  const decoderOf = (handler: Handler): Decode => {
    let decode = decoders.get(handler)
    if (decode === undefined) {
      decode = Schema.decodeUnknownEffect(handler.event.payloadSchemaBinary) as Decode
      decoders.set(handler, decode)
    }
    return decode
  }

  const decodeConflict = Effect.fnUntraced(function* (handler: Handler, entry: EventJournal.Entry) {
    let exit = conflicts.get(entry)
    if (exit === undefined) {
      exit = yield* Effect.exit(Effect.map(decoderOf(handler)(entry.payload), (payload) => ({ entry, payload })))
      conflicts.set(entry, exit)
    }
    return Exit.isSuccess(exit) ? [exit.value] : []
  })

  return {
    decode: (handler, entry) =>
      Effect.catchCause(
        Effect.suspend(() => decoderOf(handler)(entry.payload)),
        (cause) => Effect.fail(new UndecodablePayloadError({ event: entry.event, cause: Cause.squash(cause) }))
      ),
    decodeAll: (handler, entries) =>
      Effect.map(
        Effect.forEach(entries, (entry) => decodeConflict(handler, entry)),
        (decoded) => decoded.flat()
      )
  }
}
