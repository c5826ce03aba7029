import type { StoreId } from "@eventlog-server/core/backend"

/** The keys of one store. They share a hash tag, so that a script may use all of them on a cluster. */
export interface StoreKeys {
  /** A stream: the entries, `<sequence>-0`. */
  readonly feed: string
  /** A hash: the sequence of each entry id. */
  readonly ids: string
  /** A hash: the entries of each bucket, in chunks. */
  readonly buckets: string
  /** A hash: the buckets of each event, in chunks. */
  readonly events: string
  /** A sorted set: what handlers failed on, by sequence. */
  readonly failures: string
  /** A sorted set: the sequences of failures that are to be tried again. */
  readonly retries: string
  /** A hash: the head, the greatest id, the history that was appended to last, the cursor and how it is or was rewound, the lease, compaction groups, and the tombstone. */
  readonly state: string
}

/** The keys of a list that stores are taken off again. */
export interface StampedKeys {
  /** A sorted set: the ids of the stores that are listed. */
  readonly names: string
  /** A hash: the stamp of each. */
  readonly stamps: string
}

/** The names of everything that a backend keeps in Redis. */
export interface Keys {
  /** A string: the id of the backend. */
  readonly id: string
  /** A sorted set: every store that entries were ever written to, erased ones left out. It shares a hash tag with the next two. */
  readonly stores: string
  /** Stores whose cursor may not be at their head. */
  readonly behind: StampedKeys
  /** Stores that may have failures. */
  readonly failing: StampedKeys
  /** Stores that may have failures to be tried again. */
  readonly retrying: StampedKeys
  /** A sorted set: every public key that was ever mapped. */
  readonly publicKeys: string
  /** A sorted set: every public key that was ever to be mapped to a store. */
  readonly publicKeysOf: (storeId: string) => string
  readonly store: (storeId: string) => StoreKeys
  /** A hash: the mapping of a public key. */
  readonly mapping: (publicKey: string) => string
  /** The channel that tells of a store's commits. */
  readonly channel: (storeId: string) => string
  /** The store that a channel tells of. */
  readonly storeOf: (channel: string) => StoreId
  /** The channel that tells of keys whose access changed. */
  readonly accessChannel: string
}

/** Braces would end a hash tag early, or leave it empty. */
const tagged = (text: string): string =>
  text.replace(/[%{}]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

/** Names keys below a prefix, which has no braces. */
export const makeKeys = (prefix: string): Keys => {
  if (/[{}]/.test(prefix)) throw new Error(`A prefix may not contain braces: "${prefix}"`)
  const stores = `${prefix}{stores}`
  const channels = `${prefix}store:`
  return {
    id: `${prefix}{id}`,
    stores,
    behind: { names: `${stores}:behind`, stamps: `${stores}:behind:stamps` },
    failing: { names: `${stores}:failing`, stamps: `${stores}:failing:stamps` },
    retrying: { names: `${stores}:retrying`, stamps: `${stores}:retrying:stamps` },
    publicKeys: `${prefix}{keys}`,
    publicKeysOf: (storeId) => `${prefix}{keys:${tagged(storeId)}}`,
    store: (storeId) => {
      const base = `${prefix}{store:${tagged(storeId)}}`
      return {
        feed: `${base}:feed`,
        ids: `${base}:ids`,
        buckets: `${base}:buckets`,
        events: `${base}:events`,
        failures: `${base}:failures`,
        retries: `${base}:retries`,
        state: `${base}:state`
      }
    },
    mapping: (publicKey) => `${prefix}{key:${tagged(publicKey)}}`,
    channel: (storeId) => `${channels}${storeId}`,
    storeOf: (channel) => channel.slice(channels.length) as StoreId,
    accessChannel: `${prefix}keys`
  }
}
