import { Result } from "effect"
import { exceedsBytes } from "../../wire/fields.ts"
import type { Limits } from "../../wire/limits.ts"
import { ByteReader, MalformedBytes } from "./ByteReader.ts"
import { fieldIds, readFields, type StructField } from "./structFields.ts"

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
 * The fields of what came with a call, if effect can decode it in no time. Its decoder keeps every field that it doesn't
 * know, and a whole number of a million digits takes it minutes. So there may be few fields, none without its use may be big,
 * and whole numbers may have ten bytes.
 *
 * @param bringsData whether the call is a write, or a part of one
 */
export const modestFields = (payload: Uint8Array, bringsData: boolean): ReadonlyArray<StructField> | undefined => {
  if (!bringsData && payload.byteLength > maxSmallBytes) return undefined
  try {
    const fields = readFields(new ByteReader(payload))
    const data = dataIn(fields)
    const dataBytes = data === undefined ? 0 : data.end - data.start
    return !bringsData || payload.byteLength - dataBytes <= maxBesideDataBytes ? fields : undefined
  } catch (error) {
    if (error instanceof MalformedBytes) return undefined
    throw error
  }
}

/**
 * What came with a whole write, of which effect's decoder would make a copy: there is nothing in it but the data, which is
 * read with checks of its own. It shares its memory with the payload.
 */
export const wholeWrite = (
  payload: Uint8Array,
  fields: ReadonlyArray<StructField>
): Result.Result<{ readonly data: Uint8Array }, string> => {
  const data = dataIn(fields)
  return data?.isSized === true
    ? Result.succeed({ data: payload.subarray(data.start, data.end) })
    : Result.fail("A write without data")
}

const dataIn = (fields: ReadonlyArray<StructField>): StructField | undefined =>
  fields.find(({ id }) => id === fieldIds.data)

/** Whether the names in what came with a call are no longer than names can be. With some calls nothing comes. */
export const hasShortNames = (
  payload: object | undefined,
  { maxPublicKeyBytes }: Pick<Limits, "maxPublicKeyBytes">
): boolean => {
  const { publicKey = "", storeId = "" }: Named = payload ?? {}
  return !exceedsBytes(publicKey, maxPublicKeyBytes) && storeId.length <= maxStoreIdLength
}
