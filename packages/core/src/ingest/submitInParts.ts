import { Exit } from "effect"
import type { EventJournal } from "effect/eventlog"
import { entryBytes } from "../wire/fields.ts"
import type { Limits } from "../wire/limits.ts"
import type { Submit, WriteError, Written } from "./write.ts"

/** Cuts a batch where one append would be more than the limits. */
const cut = (
  entries: ReadonlyArray<EventJournal.Entry>,
  { maxAppendBytes, maxAppendEntries }: Limits
): ReadonlyArray<ReadonlyArray<EventJournal.Entry>> => {
  const parts: Array<ReadonlyArray<EventJournal.Entry>> = []
  let start = 0
  let bytes = 0
  for (const [index, entry] of entries.entries()) {
    const size = entryBytes(entry)
    if (index > start && (index - start >= maxAppendEntries || bytes + size > maxAppendBytes)) {
      parts.push(entries.slice(start, index))
      start = index
      bytes = 0
    }
    bytes += size
  }
  parts.push(entries.slice(start))
  return parts
}

/**
 * `Ingest.submit` for batches of any size: one that is more than an append may hold is committed in parts, one after the
 * other. When a part fails, those before it stay, and a repeat finds them again.
 */
export const submitInParts =
  (submit: Submit, limits: Limits): Submit =>
  (request, complete) => {
    const parts = cut(request.entries, limits)
    const done: Array<Written> = []
    const next = (): void =>
      submit({ ...request, entries: parts[done.length]! }, (exit: Exit.Exit<Written, WriteError>) => {
        if (Exit.isFailure(exit)) return complete(exit)
        done.push(exit.value)
        if (done.length < parts.length) return next()
        complete(
          Exit.succeed({
            sequenceNumbers: done.flatMap(({ sequenceNumbers }) => sequenceNumbers),
            committed: done.flatMap(({ committed }) => committed)
          })
        )
      })
    next()
  }
