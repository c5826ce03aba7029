import { hash } from "node:crypto"

/**
 * What the entries of an event and a primary key are found by: the first 16 bytes of a SHA-256. Names of any length have an
 * index entry of the same size so, and are told apart by their bytes on every database. An event name holds no U+0000,
 * which makes it the end of the name.
 */
export const bucketOf = (event: string, primaryKey: string): Buffer =>
  hash("sha256", `${event}\0${primaryKey}`, "buffer").subarray(0, 16)
