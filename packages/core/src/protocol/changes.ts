import type { EventJournal } from "effect/eventlog"
import { encodeResponseUnencrypted } from "./codec.ts"
import { pack } from "./msgpack.ts"
import { remoteEntry } from "./shapes.ts"

/**
 * One element of `Changes.entries`, encoded for every subscriber of a store: `changesMessage` puts the encodings
 * together. The bytes are the caller's.
 */
export const encodeRemoteEntry = (remoteSequence: number, entry: EventJournal.Entry): Uint8Array =>
  pack(remoteEntry.write({ remoteSequence, entry }))

/** Everything of a subscription's `Changes` that comes before its entries: the same for each of its messages. */
export const changesPrefix = (subscription: {
  readonly publicKey: string
  readonly id?: number | undefined
}): Uint8Array => {
  const { publicKey, id } = subscription
  const empty = encodeResponseUnencrypted({
    _tag: "Changes",
    publicKey,
    ...(id === undefined ? {} : { id }),
    entries: []
  })
  // The last byte is the header of the empty array.
  return empty.slice(0, -1)
}

const arrayHeader = (length: number): Uint8Array => {
  if (length < 0x10) return Uint8Array.of(0x90 | length)
  if (length < 0x1_0000) return Uint8Array.of(0xdc, length >>> 8, length)
  return Uint8Array.of(0xdd, length >>> 24, length >>> 16, length >>> 8, length)
}

/**
 * The frame of a `Changes` with the entries `slices[from]` to `slices[to - 1]`: the same bytes that
 * `encodeResponseUnencrypted` gives for it.
 */
export const changesMessage = (
  prefix: Uint8Array,
  slices: ReadonlyArray<Uint8Array>,
  from: number,
  to: number
): Uint8Array => {
  const header = arrayHeader(to - from)
  let size = prefix.length + header.length
  for (let index = from; index < to; index++) size += slices[index]!.length
  const frame = new Uint8Array(size)
  frame.set(prefix)
  frame.set(header, prefix.length)
  let offset = prefix.length + header.length
  for (let index = from; index < to; index++) {
    frame.set(slices[index]!, offset)
    offset += slices[index]!.length
  }
  return frame
}
