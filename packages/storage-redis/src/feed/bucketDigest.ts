import { createHash } from "node:crypto"

/** Bytes of a bucket's name in the indexes: enough that nobody finds two buckets of one name, even on purpose. */
export const digestBytes = 12

/** Names the bucket of an event and a primary key. Neither holds U+0000, so the two can't be confused. */
export const bucketDigest = (event: string, primaryKey: string): Buffer =>
  createHash("sha256").update(`${event}\0${primaryKey}`).digest().subarray(0, digestBytes)
