import { Context, Data, Duration, Effect, Random, Schema } from "effect"
import { type Event, type EventGroup, EventJournal } from "effect/eventlog"
import { StoreId } from "../backend/StoreId.ts"
import { type GroupCompactionInput, makeGroupCompactor } from "./groupCompactor.ts"
import { runCompactor } from "./outputs.ts"

type Entry = EventJournal.Entry

/** An event on its way into a state, as a handler is given it. */
export type AppliedEvent<Events extends Event.Any> = Event.TaggedPayload<Events> & {
  readonly entry: Entry
  /** Entries of the same event that were applied before and have greater ids, in id order. */
  readonly conflicts: ReadonlyArray<Entry>
}

/** What is checked, and how a device applies events. */
export interface CompactionLawOptions<Events extends Event.Any, State> {
  readonly group: EventGroup.EventGroup<Events>
  /** What `groupCompaction` is given. */
  readonly compact: (input: GroupCompactionInput<Events>) => Effect.Effect<void>
  /** Events to make histories of, all of one primary key. A handful that supersede or add to each other is enough. */
  readonly events: ReadonlyArray<Event.TaggedPayload<Events>>
  readonly initial: State
  /** What the handlers do: the state after an event. It may not change the state that it is given. */
  readonly apply: (state: State, event: AppliedEvent<Events>) => State
  /**
   * `"any"`: devices may hold any of the entries already, in any order, and some of their own that nobody else has: what
   * devices that write are like. `"prefix"`: they hold what the feed had first, as devices that only read do.
   * @default "any"
   */
  readonly holds?: "any" | "prefix" | undefined
  /** Histories to try. @default 1_000 */
  readonly runs?: number | undefined
  /** The same seed tries the same histories. @default 1 */
  readonly seed?: number | undefined
}

/** A history after which the compacted feed leaves a device in another state than the feed itself. */
export class CompactionLawError extends Data.TaggedError("CompactionLawError")<{
  /** What the device held, in the order in which it applied it. */
  readonly held: ReadonlyArray<unknown>
  /** The history, in sequence order. */
  readonly history: ReadonlyArray<unknown>
  /** What the compactor made of it. */
  readonly outputs: ReadonlyArray<unknown>
  /** The device's state after the history, and after the outputs. */
  readonly expected: unknown
  readonly actual: unknown
}> {
  override get message(): string {
    return `The compaction breaks its law: ${JSON.stringify({ ...this }, null, 2)}`
  }
}

interface Case {
  readonly history: ReadonlyArray<Entry>
  readonly held: ReadonlyArray<Entry>
}

const longestHistory = 6
const longestOwn = 2
const storeId = StoreId.make("law")

/**
 * Tries random histories of one primary key, the shortest first, and rejects with a `CompactionLawError` for the first
 * one that shows a compaction breaking its law: whatever entries a device already holds, its own unsent ones included,
 * the output must have the effect of the inputs that it lacks. States are compared as JSON.
 */
export const checkCompactionLaw = <Events extends Event.Any, State>(
  options: CompactionLawOptions<Events, State>
): Promise<void> => {
  const { runs = 1_000, seed = 1 } = options
  const compactor = makeGroupCompactor(options.group, 0, options.compact, Context.empty() as never)
  return Effect.gen(function* () {
    for (let run = 0; run < runs; run++) {
      const length = 1 + Math.floor((run * longestHistory) / runs)
      const { held, history } = yield* makeCase(options, length)
      const outputs = yield* runCompactor({ compactor, storeId, entries: history, timeout: Duration.seconds(30) })
      const expected = yield* stateAfter(options, held, history)
      const actual = yield* stateAfter(options, held, outputs)
      if (JSON.stringify(expected) === JSON.stringify(actual)) continue
      const [shownHeld, shownHistory, shownOutputs] = yield* Effect.forEach([held, history, outputs], (entries) =>
        Effect.forEach(entries, (entry) => show(options.group, entry))
      )
      return yield* new CompactionLawError({
        held: shownHeld!,
        history: shownHistory!,
        outputs: shownOutputs!,
        expected,
        actual
      })
    }
  }).pipe(Random.withSeed(seed), Effect.runPromise)
}

/** A history whose ids need not be in the order of its sequences, and a device that holds some of it. */
const makeCase = <Events extends Event.Any>(
  { events, group, holds = "any" }: Pick<CompactionLawOptions<Events, unknown>, "events" | "group" | "holds">,
  length: number
): Effect.Effect<Case> =>
  Effect.gen(function* () {
    const own = holds === "any" ? yield* Random.nextIntBetween(0, longestOwn) : 0
    const times = yield* Random.shuffle(Array.from({ length: length + own }, (_, index) => index + 1))
    const entries = yield* Effect.forEach(times, (msecs) =>
      Effect.flatMap(Random.nextIntBetween(0, events.length - 1), (index) => makeEntry(group, events[index]!, msecs))
    )
    const history = entries.slice(0, length)
    if (holds === "prefix") return { history, held: history.slice(0, yield* Random.nextIntBetween(0, length)) }
    const known = yield* Effect.filter(history, () => Random.nextBoolean)
    return { history, held: yield* Random.shuffle([...known, ...entries.slice(length)]) }
  })

const eventOf = <Events extends Event.Any>(group: EventGroup.EventGroup<Events>, tag: string): Event.AnyWithProps =>
  (group.events as Readonly<Record<string, Event.AnyWithProps>>)[tag]!

const makeEntry = <Events extends Event.Any>(
  group: EventGroup.EventGroup<Events>,
  { _tag, payload }: Event.TaggedPayload<Events>,
  msecs: number
): Effect.Effect<Entry> => {
  const event = eventOf(group, _tag)
  const encoded = Schema.encodeUnknownEffect(event.payloadSchemaBinary)(payload) as Effect.Effect<Uint8Array>
  return Effect.map(encoded, (payload_) => {
    const id = EventJournal.makeEntryIdUnsafe({ msecs })
    const fields = { id, event: _tag, primaryKey: event.primaryKey(payload), payload: payload_ }
    return new EventJournal.Entry(fields, { disableChecks: true })
  })
}

const decodePayload = <Events extends Event.Any>(group: EventGroup.EventGroup<Events>, entry: Entry) =>
  Effect.orDie(
    Schema.decodeUnknownEffect(eventOf(group, entry.event).payloadSchemaBinary)(entry.payload)
  ) as Effect.Effect<unknown>

const show = <Events extends Event.Any>(group: EventGroup.EventGroup<Events>, entry: Entry) =>
  Effect.map(decodePayload(group, entry), (payload) => ({
    event: entry.event,
    payload,
    createdAt: entry.createdAtMillis
  }))

/** The state of a device that applied what it held, then what it lacked of what it is sent, in that order. */
const stateAfter = <Events extends Event.Any, State>(
  { apply, group, initial }: Pick<CompactionLawOptions<Events, State>, "apply" | "group" | "initial">,
  held: ReadonlyArray<Entry>,
  sent: ReadonlyArray<Entry>
): Effect.Effect<State> =>
  Effect.gen(function* () {
    const applied = new Map<string, Entry>()
    let state = initial
    for (const entry of [...held, ...sent]) {
      if (applied.has(entry.idString)) continue
      const conflicts = [...applied.values()]
        .filter((it) => it.event === entry.event && EventJournal.EntryIdOrder(it.id, entry.id) > 0)
        .sort((a, b) => EventJournal.EntryIdOrder(a.id, b.id))
      const payload = yield* decodePayload(group, entry)
      state = apply(state, { _tag: entry.event, payload, entry, conflicts } as unknown as AppliedEvent<Events>)
      applied.set(entry.idString, entry)
    }
    return state
  })
