import { exceedsBytes } from "../../wire/fields.ts"
import type { Limits } from "../../wire/limits.ts"
import { ByteReader, MalformedBytes } from "./ByteReader.ts"
import { fieldIds, readFields } from "./structFields.ts"

/** Bytes of what comes with a call that brings no data. It is keys, a signature and a number. */
const maxSmallBytes = 16 * 1024

/** Bytes of what comes with a part of a write besides its data. It is three small numbers. */
const maxBesideDataBytes = 256

/** Characters of a store's id. */
const maxStoreIdLength = 255

/** The names that may come with a call. */
interface Named {
  readonly publicKey?: string
  readonly storeId?: string
}

/**
 * Whether what came with a call can be decoded by effect in no time. Its decoder keeps every field that it doesn't know, and
 * a whole number of a million digits takes it minutes. So there may be few fields, none without its use may be big, and
 * whole numbers may have ten bytes.
 *
 * @param bringsData whether the call is a write, or a part of one
 */
export const isModest = (payload: Uint8Array, bringsData: boolean): boolean => {
  if (!bringsData && payload.byteLength > maxSmallBytes) return false
  try {
    const fields = readFields(new ByteReader(payload))
    const data = fields.find(({ id }) => id === fieldIds.data)
    const dataBytes = data === undefined ? 0 : data.end - data.start
    return !bringsData || payload.byteLength - dataBytes <= maxBesideDataBytes
  } catch (error) {
    if (error instanceof MalformedBytes) return false
    throw error
  }
}

/** Whether the names in what came with a call are no longer than names can be. */
export const hasShortNames = (payload: object, { maxPublicKeyBytes }: Pick<Limits, "maxPublicKeyBytes">): boolean => {
  const { publicKey = "", storeId = "" }: Named = payload
  return !exceedsBytes(publicKey, maxPublicKeyBytes) && storeId.length <= maxStoreIdLength
}
