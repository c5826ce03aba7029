import { encodeResponseUnencrypted } from "./codec.ts"
import type { EncodedEntries } from "./remoteEntries.ts"

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
 * The frame of a `Changes` with the entries from the one at index `from` on: the same bytes that
 * `encodeResponseUnencrypted` gives for it.
 */
export const changesMessage = (prefix: Uint8Array, { bytes, offsets }: EncodedEntries, from: number): Uint8Array => {
  const header = arrayHeader(offsets.length - 1 - from)
  const entries = bytes.subarray(offsets[from])
  const frame = new Uint8Array(prefix.length + header.length + entries.length)
  frame.set(prefix)
  frame.set(header, prefix.length)
  frame.set(entries, prefix.length + header.length)
  return frame
}
