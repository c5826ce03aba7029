import { hash } from "node:crypto"

/** Bytes of a bucket's name in the index: enough that nobody finds two buckets of one name, even on purpose. */
export const digestBytes = 12

/**
 * Names the bucket of an event and a primary key, in hexadecimal digits, which cost much less to make than bytes. Neither
 * holds U+0000, so the two can't be confused.
 */
export const bucketDigest = (event: string, primaryKey: string): string =>
  hash("sha256", `${event}\0${primaryKey}`, "hex").slice(0, 2 * digestBytes)
