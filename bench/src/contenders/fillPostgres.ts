import { withPostgres } from "@eventlog-server/testkit/databases"
import { deviceKeyOf, publicKeyOf } from "../load/device.ts"
import { entryOf } from "../load/entries.ts"
import { signingPublicKey } from "../load/signing.ts"

/** What a store holds before anybody comes. */
export interface PostgresHistory {
  readonly storeId: string
  readonly entries: number
  /** Primary keys that the entries go round. */
  readonly keys: number
  /** Devices that belong to the store and have proved their keys before: see `deviceKeyOf`. @default none */
  readonly devices?: number
}

const day = 24 * 60 * 60 * 1_000
/** How old the first entry is; each is a millisecond younger than the one before. */
const age = 100 * day

const insertStore = "insert into eventlog_stores (store_id, head, processed) values ($1, $2, $2) returning id"

/** `$1` the store, `$2` entries, `$3` keys, `$4` milliseconds of the first id, `$5` event, `$6` payload around the key `$7`, `$8` author. */
const insertEntries = `
  insert into eventlog_entries
    (store, sequence, entry_id, bucket, event, primary_key, author, transport_only, bytes, payload)
  select $1::integer, n,
    decode(lpad(to_hex($4::bigint + n), 12, '0') || '7' || lpad(to_hex(n & 4095), 3, '0') || '8' || lpad(to_hex(n), 15, '0'), 'hex'),
    substr(sha256(convert_to($5::text, 'UTF8') || '\\x00'::bytea || convert_to(key, 'UTF8')), 1, 16),
    $5, key, $8, 0, length(payload) + length($5) + length(key), payload
  from generate_series(1::bigint, $2::bigint) as n
  cross join lateral (select lpad(to_hex(n % $3::bigint), 8, '0') as key) as k
  cross join lateral (select $6::bytea || convert_to(key, 'UTF8') || $7::bytea as payload) as p`

const insertKeys = `
  insert into eventlog_keys (public_key, store_id, signing_public_key) select key, $1, $3 from unnest($2::text[]) as key`

/** The bytes of a payload before its key and behind it. */
const aroundKey = ({ payload, primaryKey }: ReturnType<typeof entryOf>): readonly [Buffer, Buffer] => {
  const bytes = Buffer.from(payload)
  const at = bytes.indexOf(primaryKey)
  return [bytes.subarray(0, at), bytes.subarray(at + primaryKey.length)]
}

/**
 * Writes a history into the tables of our server, which exist: a million entries this way take seconds, and what is
 * in the tables afterwards is what the server would have written. Handlers count as done. Leaves them as PostgreSQL does when
 * it had time: vacuumed and analyzed.
 */
export const fillPostgres = (url: string, { devices = 0, entries, keys, storeId }: PostgresHistory): Promise<void> =>
  withPostgres(url, async (client) => {
    const { rows } = await client.query<{ readonly id: number }>(insertStore, [storeId, entries])
    const template = entryOf(0)
    const firstAt = Date.now() - age
    await client.query(insertEntries, [
      ...[rows[0]?.id, entries, keys, firstAt],
      ...[template.event, ...aroundKey(template), publicKeyOf(storeId)]
    ])
    const deviceKeys = Array.from({ length: devices }, (_, index) => deviceKeyOf(storeId, index))
    await client.query(insertKeys, [storeId, deviceKeys, Buffer.from(signingPublicKey)])
    await client.query("vacuum (analyze)")
  })
