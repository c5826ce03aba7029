import { randomBytes } from "node:crypto"
import pg from "pg"
import { publicKeyOf } from "../load/device.ts"

const tables = `
  create table bare_keys (public_key text primary key, store integer not null);
  create table bare_stores (store integer primary key, head bigint not null);
  create table bare_entries (
    store integer not null, sequence bigint not null, entry_id bytea not null, payload bytea not null,
    primary key (store, sequence), unique (store, entry_id)
  )`

const findStore = { name: "find", text: "select store from bare_keys where public_key = $1" }
const insert = {
  name: "insert",
  text: "insert into bare_entries (store, sequence, entry_id, payload) values ($1, $2, $3, $4)"
}
/** Takes the sequence from the store's row, which stays locked until the statement is committed. */
const insertNext = {
  name: "insert next",
  text: `with next as (update bare_stores set head = head + 1 where store = $1 returning head)
    insert into bare_entries (store, sequence, entry_id, payload) select $1, head, $2, $3 from next`
}

/** Writes a frame of the device with this key; resolves when it is committed. */
export type WriteToDatabase = (publicKey: string, frame: Buffer) => Promise<unknown>

/**
 * The least that a write to a database needs: one statement to look the key up, and one, committed by itself, to insert
 * what was written, prepared, on ten connections as in our server. One store has its sequence from a counter of this
 * process: with one in a row, one write at a time could commit. Of several stores each has a row that counts.
 */
export const openBareDatabase = async (connectionString: string, stores: number): Promise<WriteToDatabase> => {
  const pool = new pg.Pool({ connectionString })
  await pool.query(tables)
  for (let store = 0; store < stores; store++) {
    await pool.query("insert into bare_keys values ($1, $2)", [publicKeyOf(`store-${store}`), store])
    await pool.query("insert into bare_stores values ($1, 0)", [store])
  }
  let sequence = 0
  return async (publicKey, frame) => {
    const { rows } = await pool.query({ ...findStore, values: [publicKey] })
    const { store } = rows[0]
    const id = randomBytes(16)
    return stores === 1
      ? pool.query({ ...insert, values: [store, ++sequence, id, frame] })
      : pool.query({ ...insertNext, values: [store, id, frame] })
  }
}
