import { EventLogMessage } from "effect/eventlog"
import type { PageEncoder } from "../../feed/page.ts"
import { encodeRemoteEntries } from "./remoteEntries.ts"
import type { Wire } from "./wire.ts"

const { ChunkedMessage, SingleMessage } = EventLogMessage

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
    const data = encodeRemoteEntries(entries)
    return data.byteLength <= ChunkedMessage.chunkSize
      ? [wire.encodeChanges([new SingleMessage({ data })])]
      : ChunkedMessage.split(0, data).map((part) => wire.encodeChanges([part]))
  }
