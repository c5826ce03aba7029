import { hash } from "node:crypto"
import { bucketName } from "@eventlog-server/core/backend"

/** Bytes of a bucket's name in the index: enough that nobody finds two buckets of one name, even on purpose. */
export const digestBytes = 12

/**
 * Names the bucket of an event and a primary key, in hexadecimal digits, which cost much less to make than bytes.
 */
export const bucketDigest = (event: string, primaryKey: string): string =>
  hash("sha256", bucketName(event, primaryKey), "hex").slice(0, 2 * digestBytes)
