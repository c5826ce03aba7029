import { Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import { ConnectionFailure, RemoteRefusal } from "./errors.ts"
import type { Answer, Session } from "./session.ts"

/** Who follows a store on one session. */
export interface Follower {
  readonly publicKey: string
  /** The first sequence to ask for, at least 1. */
  readonly startSequence: number
  /** The id of the entry before, where it was received live. */
  readonly lastEntryId: Uint8Array | undefined
  /** How much there is room for. A server that heeds it ends the subscription then. */
  readonly portion: { readonly maxEntries: number; readonly maxBytes: number }
  /** The server accepted; what comes up to `head` may be compacted. */
  readonly subscribed: (head: number) => void
  /** Takes the entries of one `Changes`, at least one. Answers whether there is room for more. */
  readonly take: (entries: ReadonlyArray<EventJournal.RemoteEntry>) => boolean
  readonly caughtUp: () => void
}

/**
 * Subscribes on one session, until it ends, the server refuses, or the follower has no more room: then it succeeds.
 *
 * Nothing is left out by its sequence. What a server compacted carries the last sequence of what it replaces, several
 * entries share it, and all but the final `Changes` of such a bucket carry one less, so that a cut repeats the bucket:
 * a subscription from s may begin with s - 1, and dropping that would lose the bucket's first part. So sequences may
 * skip and repeat, but never fall; repeated entries are recognized by their ids, by the journal.
 */
export const follow = (session: Session, follower: Follower): Effect.Effect<void, RemoteRefusal | ConnectionFailure> =>
  Effect.callback((resume) => {
    const { lastEntryId, portion, publicKey, startSequence } = follower
    const last = lastEntryId === undefined ? {} : { lastEntryId }
    const sequences = makeSequenceCheck(startSequence - 1)
    let id = 0

    const stop = () => {
      session.close(id)
      session.send({ _tag: "StopChanges", publicKey, id })
    }
    const receive = (entries: ReadonlyArray<EventJournal.RemoteEntry>) => {
      if (entries.length === 0) return
      if (!sequences(entries)) return session.end(violation("The server's sequences fell"))
      if (follower.take(entries)) return
      stop()
      resume(Effect.void)
    }
    const answer = (answer: Answer) => {
      switch (answer._tag) {
        case "Subscribed":
          return follower.subscribed(answer.head)
        case "Changes":
          return receive(answer.entries)
        case "CaughtUp":
          return follower.caughtUp()
        case "Error":
          session.close(id)
          return resume(Effect.fail(RemoteRefusal.fromFrame(answer)))
        default:
          return session.end(violation(`${answer._tag} does not answer a subscription`))
      }
    }

    id = session.open((id) => ({ _tag: "RequestChanges", id, publicKey, startSequence, ...last, ...portion }), {
      answer,
      ended: (failure) => resume(Effect.fail(failure))
    })
    return Effect.sync(stop)
  })

/** Tells whether the next entries of a subscription may follow the ones before. */
const makeSequenceCheck = (first: number) => {
  let last = first
  return (entries: ReadonlyArray<EventJournal.RemoteEntry>): boolean =>
    entries.every(({ remoteSequence }) => {
      const rises = remoteSequence >= last
      last = remoteSequence
      return rises
    })
}

const violation = (message: string) => new ConnectionFailure({ reason: "Protocol", message })
