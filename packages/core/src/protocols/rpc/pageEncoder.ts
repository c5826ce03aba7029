import { Schema } from "effect"
import { EventJournal, EventLogMessage } from "effect/eventlog"
import type { FeedEntry } from "../../backend/FeedStore.ts"
import type { PageEncoder } from "../../feed/page.ts"
import type { Wire } from "./wire.ts"

const { ChunkedMessage, SingleMessage } = EventLogMessage

const encodeEntries = Schema.encodeUnknownSync(EventLogMessage.ChangesRpc.UnencryptedFromSchemaBinary)

const toRemoteEntry = ({ entry, remoteSequence }: FeedEntry) =>
  new EventJournal.RemoteEntry({ entry, remoteSequence }, { disableChecks: true })

/**
 * Encodes the entries of a page as the values of one or more `Chunk`s: one message, cut into parts where it is big. A
 * client joins the parts of one stream, where one message follows the other, so that all of them can have the same id.
 *
 * It is one function for the whole server: each page is encoded once for all connections.
 */
export const makePageEncoder =
  (wire: Wire, onEncoded: (entries: number) => void): PageEncoder<ReadonlyArray<Uint8Array>> =>
  (entries) => {
    onEncoded(entries.length)
    const data = encodeEntries(entries.map(toRemoteEntry)) as Uint8Array<ArrayBuffer>
    return data.byteLength <= ChunkedMessage.chunkSize
      ? [wire.encodeChanges([new SingleMessage({ data })])]
      : ChunkedMessage.split(0, data).map((part) => wire.encodeChanges([part]))
  }
