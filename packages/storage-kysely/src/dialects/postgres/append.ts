import { sql } from "kysely"
import { holds, selectKnownOfRow } from "../../database/known.ts"
import { toNumber } from "../../database/values.ts"
import type { BigInteger } from "../../schema/tables.ts"
import type { AcrossStores } from "../AcrossStores.ts"
import { packEntries } from "../standardSql/packEntries.ts"
import type { NewEntry, StoreAppend, Writes } from "../Writes.ts"
import { knownColumns, knownRow } from "./known.ts"

/** The columns of an entry that is on its way: all but its place. */
const givenColumns = sql`entry_id, bucket, event, primary_key, author, transport_only, bytes, payload`

/** The entries as rows, in order, with the index of the store that each goes to. */
const givenEntries = (stores: ReadonlyArray<ReadonlyArray<NewEntry>>) => {
  const packed = packEntries(stores)
  return sql`
    select place,
      substr(${packed.ids}::bytea, place * 16 - 15, 16) as entry_id,
      substr(${packed.buckets}::bytea, place * 16 - 15, 16) as bucket,
      entry ->> 0 as event, entry ->> 1 as primary_key, entry ->> 2 as author,
      (entry ->> 3)::smallint as transport_only, (entry ->> 4)::integer as bytes,
      substr(${packed.payloads}::bytea, (entry ->> 5)::integer + 1, (entry ->> 6)::integer) as payload,
      (entry ->> 7)::integer as target
    from (
      select entry, place::integer from json_array_elements(${packed.rows}::json) with ordinality as t(entry, place)
    ) as t`
}

/**
 * One statement, so one round trip and one commit. The `update` takes the row's lock and moves the head: whoever waits for
 * it goes on from the head that the holder left. What the statement can't see are entries that the holder committed
 * meanwhile; a repeated one runs into the unique index, which fails the statement as a conflict, and is found the next
 * time. The number of new entries is counted once, before the lock: a count that depended on it would be taken again.
 */
export const append: Writes["append"] = async ({ run, tables }, { entries: newEntries, known, storeId }) => {
  const { entries, stores } = tables
  const ifHeld = known === undefined ? sql`` : sql`and ${holds(tables, sql`s.id`, known)}`
  const { rows } = await run(sql<{ readonly last: BigInteger; readonly count: BigInteger }>`
    with given as materialized (${givenEntries([newEntries])}),
    fresh as materialized (
      select given.*, row_number() over (order by place) as rank from given
      where not exists (
        select from ${entries} as e
        where e.store = (select id from ${stores} where store_id = ${storeId}) and e.entry_id = given.entry_id
        offset 0
      )
    ),
    moved as (
      update ${stores} as s set head = head + (select count(*) from fresh)
      where store_id = ${storeId} and erased = 0 and exists (select from fresh) ${ifHeld}
      returning id, head
    ),
    inserted as (
      insert into ${entries} (store, sequence, ${givenColumns})
      select moved.id, moved.head - (select count(*) from fresh) + rank, ${givenColumns} from moved, fresh
    )
    select head as last, (select count(*) from fresh) as count from moved`)
  const [row] = rows
  return row && { last: toNumber(row.last), count: toNumber(row.count) }
}

/** A store as a row of JSON, with the entry that it has to hold. */
const wantedRow = ({ known, storeId }: StoreAppend) => [storeId, ...knownRow(known)]

/**
 * The same for several stores. Their rows are locked first, and only those that nobody holds: so no store waits for
 * another one's, and two of these can't wait for each other.
 */
export const appendToStores: AcrossStores["append"] = async (target, appends) => {
  const {
    run,
    tables: { entries, stores }
  } = target
  const { rows } = await run(sql<{
    readonly target: number
    readonly last: BigInteger
    readonly count: BigInteger
  }>`
    with given as materialized (${givenEntries(appends.map(({ entries }) => entries))}),
    taken as materialized (
      select s.id, wanted.target from (
        select place::integer - 1 as target, t.w ->> 0 as store_id,
          ${knownColumns(sql`t.w`, 1)}
        from json_array_elements(${JSON.stringify(appends.map(wantedRow))}::json) with ordinality as t(w, place)
      ) as wanted
      cross join lateral (
        select id from ${stores} as s where store_id = wanted.store_id and erased = 0 and (
          known_sequence is null or (${selectKnownOfRow(target.tables, sql`s.id`)}) = known_id
        ) for no key update skip locked
      ) as s
    ),
    fresh as materialized (
      select given.*, taken.id as store, row_number() over (partition by target order by place) as rank
      from given join taken using (target)
      where not exists (
        select from ${entries} as e where e.store = taken.id and e.entry_id = given.entry_id offset 0
      )
    ),
    counted as materialized (select store, target, count(*) as count from fresh group by store, target),
    moved as (
      update ${stores} as s set head = s.head + counted.count from counted where s.id = counted.store
      returning s.id, s.head, counted.target, counted.count
    ),
    inserted as (
      insert into ${entries} (store, sequence, ${givenColumns})
      select moved.id, moved.head - moved.count + rank, ${givenColumns} from moved join fresh on fresh.store = moved.id
    )
    select target, head as last, count from moved`)
  return new Map(rows.map(({ count, last, target }) => [target, { last: toNumber(last), count: toNumber(count) }]))
}
