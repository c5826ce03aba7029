import type { Span } from "../BucketEnds.ts"

const toNumber = (bucket: Buffer): bigint => BigInt(`0x${bucket.toString("hex")}`)

const toBucket = (number: bigint): Buffer => Buffer.from(number.toString(16).padStart(32, "0"), "hex")

const spanOf = (first: bigint, last: bigint): ReadonlyArray<Span> =>
  first > last ? [] : [{ first: toBucket(first), last: toBucket(last) }]

/** The buckets of a span that lie before one of them. */
export const spanBefore = (bucket: Buffer, { first }: Span): ReadonlyArray<Span> =>
  spanOf(toNumber(first), toNumber(bucket) - 1n)

/** A 32nd of all buckets. */
const wide = 1n << 123n

/**
 * The two halves of a span that has many of all buckets, which can be looked at together, or the span. Digests are spread
 * evenly, so each has about as many buckets.
 */
export const halvesIfWide = (span: Span): ReadonlyArray<Span> => {
  const [first, last] = [toNumber(span.first), toNumber(span.last)]
  if (last - first < wide) return [span]
  const middle = (first + last) / 2n
  return [...spanOf(first, middle), ...spanOf(middle + 1n, last)]
}
