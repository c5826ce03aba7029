import { defaultLimits, entryBytes } from "@eventlog-server/core/protocol"
import { Deferred, Effect, Queue } from "effect"
import { type EventJournal, EventLogMessage, type EventLogRemote } from "effect/eventlog"
import type { Recorder } from "../recorder.ts"
import { idOf, placedEntry } from "../seen.ts"

type Remote = EventLogRemote.EventLogRemote["Service"]
type RemoteError = EventLogRemote.EventLogRemoteError

const reasonOf = ({ cause }: RemoteError): string | undefined =>
  EventLogMessage.EventLogProtocolError.is(cause) ? cause.code : undefined

/** Whether a batch is more than one commit holds, by count or by bytes. */
const isBig = (entries: ReadonlyArray<EventJournal.Entry>): boolean =>
  entries.length > defaultLimits.maxAppendEntries ||
  entries.reduce((bytes, entry) => bytes + entryBytes(entry), 0) > defaultLimits.maxAppendBytes

/**
 * effect's remote, which writes down what it carries. The remote is tapped and not the wire, since how RPC numbers and
 * frames its messages is effect's own business.
 *
 * @param connection names the connection that the remote has
 * @param broken done when a proof failed: the remote would remember that for as long as it lives
 */
export const tapRemote = (
  remote: Remote,
  device: string,
  connection: string,
  { record }: Recorder,
  broken: Deferred.Deferred<void>
): Remote => {
  let requests = 0
  let subscriptions = 0

  const failed = (error: RemoteError) =>
    Effect.sync(() => {
      if (error.method === "authenticate") Deferred.doneUnsafe(broken, Effect.void)
    })

  const write: Remote["write"] = (options) =>
    Effect.suspend(() => {
      const request = `${connection}.${requests++}`
      const ids = options.entries.map((entry) => idOf(entry.id))
      record({ kind: "sent", device, request, ids, mayBeParted: isBig(options.entries) })
      return remote.write(options).pipe(
        // Sequences come with the changes: the server answers no acks, so that the cursor follows deliveries alone.
        Effect.tap(() => Effect.sync(() => record({ kind: "acked", device, request }))),
        Effect.tapError((error) => {
          const reason = reasonOf(error)
          if (reason !== undefined) record({ kind: "refused", device, request, reason })
          return failed(error)
        })
      )
    })

  const changes: Remote["changes"] = (options) =>
    Effect.gen(function* () {
      const subscription = `${connection}/${subscriptions++}`
      record({ kind: "subscribed", device, subscription, from: options.startSequence })
      const incoming = yield* remote.changes(options)
      const outgoing = yield* Queue.make<EventJournal.RemoteEntry, RemoteError>()
      yield* Queue.takeAll(incoming).pipe(
        Effect.flatMap((entries) => {
          record({ kind: "delivered", device, subscription, entries: entries.map(placedEntry) })
          return Queue.offerAll(outgoing, entries)
        }),
        Effect.forever,
        Effect.tapError(failed),
        Effect.catchCause((cause) => Queue.failCause(outgoing, cause)),
        Effect.forkScoped
      )
      return outgoing
    })

  return { ...remote, write, changes }
}
