import { Data, type Duration, Effect, Fiber } from "effect"
import { EventJournal } from "effect/eventlog"
import type { StoreId } from "../backend/StoreId.ts"
import type { Compactor } from "./compactors.ts"
import { maxOutputs, replacementId } from "./replacementId.ts"

type Entry = EventJournal.Entry

/** A compactor did something that it may not do. */
export class CompactorError extends Data.TaggedError("CompactorError")<{ readonly message: string }> {}

const sameContent = (a: Entry, b: Entry): boolean =>
  a.event === b.event &&
  a.primaryKey === b.primaryKey &&
  a.payload.byteLength === b.payload.byteLength &&
  a.payload.every((byte, index) => byte === b.payload[index])

/** Runs a compactor on a fiber of its own, so that one which can't be interrupted is left behind after `timeout`. */
const collect = (
  compactor: Compactor,
  entries: ReadonlyArray<Entry>,
  timeout: Duration.Duration
): Effect.Effect<ReadonlyArray<Entry>, CompactorError> =>
  Effect.gen(function* () {
    const written: Array<Entry> = []
    const put = (entry: Entry) => Effect.sync(() => void written.push(entry))
    const fiber = yield* Effect.forkDetach(compactor.effect({ entries, write: put, forward: put }), {
      startImmediately: true
    })
    yield* Fiber.join(fiber).pipe(
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () => Effect.fail(new CompactorError({ message: "It did not end in time" }))
      }),
      Effect.ensuring(Effect.sync(() => fiber.interruptUnsafe()))
    )
    return written.slice()
  })

/** The input that an output is, or the output under an id of its own. */
const identify = (
  storeId: StoreId,
  sources: ReadonlyArray<Entry>,
  output: Entry,
  index: number
): Effect.Effect<Entry> => {
  const source = sources.find((source) => source === output) ?? sources.findLast((it) => sameContent(it, output))
  if (source !== undefined) return Effect.succeed(source)
  return Effect.map(
    replacementId({ storeId, sources, index, output }),
    (id) => new EventJournal.Entry({ ...output, id }, { disableChecks: true })
  )
}

/** A bucket to compact. */
export interface BucketInput {
  readonly compactor: Compactor
  readonly storeId: StoreId
  /** Its eligible entries, in sequence order; at least one. */
  readonly entries: ReadonlyArray<Entry>
  readonly timeout: Duration.Duration
}

/** What a compactor makes of a bucket. Fails or dies as the compactor does. */
export const runCompactor = ({
  compactor,
  entries,
  storeId,
  timeout
}: BucketInput): Effect.Effect<ReadonlyArray<Entry>, CompactorError> =>
  Effect.flatMap(collect(compactor, entries, timeout), (written) =>
    written.length > maxOutputs
      ? Effect.fail(new CompactorError({ message: `It put out more than ${maxOutputs} entries` }))
      : Effect.forEach(written, (output, index) => identify(storeId, entries, output, index))
  )

/** `runCompactor`, contained: after a failure, which is logged, the entries come out as they are. */
export const compactBucket = (input: BucketInput): Effect.Effect<ReadonlyArray<Entry>> =>
  Effect.catchCause(runCompactor(input), (cause) =>
    Effect.as(
      Effect.logError("A compactor failed; its entries are sent unchanged", cause).pipe(
        Effect.annotateLogs({
          storeId: input.storeId,
          primaryKey: input.entries[0]?.primaryKey,
          events: input.compactor.events
        })
      ),
      input.entries
    )
  )
