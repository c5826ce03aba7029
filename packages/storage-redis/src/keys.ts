/** The keys of one store. They share a hash tag, so that a script may use all of them on a cluster. */
export interface StoreKeys {
  /** A stream: the entries, `<sequence>-0`. */
  readonly feed: string
  /** A hash: the sequence of each entry id. */
  readonly ids: string
  /** A hash: the entries of each bucket, in chunks. */
  readonly buckets: string
  /** A hash: the head, the greatest id, the cursor, the lease, compaction groups, and the tombstone. */
  readonly state: string
}

/** The names of everything that a backend keeps in Redis. */
export interface Keys {
  /** A string: the id of the backend. */
  readonly id: string
  /** A sorted set: every store that entries were ever written to, erased ones left out. */
  readonly stores: string
  /** A sorted set: every public key that was ever mapped. */
  readonly publicKeys: string
  readonly store: (storeId: string) => StoreKeys
  /** A hash: the mapping of a public key. */
  readonly mapping: (publicKey: string) => string
  /** The channel that tells of a store's commits. */
  readonly channel: (storeId: string) => string
  /** The channel that tells of keys whose access changed. */
  readonly accessChannel: string
}

/** Braces would end a hash tag early, or leave it empty. */
const tagged = (text: string): string =>
  text.replace(/[%{}]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

/** Names keys below a prefix, which has no braces. */
export const makeKeys = (prefix: string): Keys => {
  if (/[{}]/.test(prefix)) throw new Error(`A prefix may not contain braces: "${prefix}"`)
  return {
    id: `${prefix}{id}`,
    stores: `${prefix}{stores}`,
    publicKeys: `${prefix}{keys}`,
    store: (storeId) => {
      const base = `${prefix}{store:${tagged(storeId)}}`
      return {
        feed: `${base}:feed`,
        ids: `${base}:ids`,
        buckets: `${base}:buckets`,
        state: `${base}:state`
      }
    },
    mapping: (publicKey) => `${prefix}{key:${tagged(publicKey)}}`,
    channel: (storeId) => `${prefix}store:${storeId}`,
    accessChannel: `${prefix}keys`
  }
}
