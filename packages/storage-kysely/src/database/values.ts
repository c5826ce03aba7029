import type { BigInteger } from "../schema/tables.ts"

/** A count or a sequence as a number. Throws beyond 2^53 - 1, where numbers are no longer exact. */
export const toNumber = (value: BigInteger): number => {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new RangeError(`${value} is beyond what a number can hold exactly`)
  return number
}

/** The same bytes as drivers take them. */
export const toBuffer = ({ buffer, byteLength, byteOffset }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength)

/** Bytes of a driver as the caller's own: drivers hand out views of buffers that they use again. */
export const ownBytes = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes)

/** Lists of at most `size` elements, in order. */
export const chunksOf = <A>(values: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(values.length / size) }, (_, index) => values.slice(index * size, (index + 1) * size))
