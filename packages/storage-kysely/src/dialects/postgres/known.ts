import type { KnownEntry } from "@eventlog-server/core/backend"
import { type RawBuilder, sql } from "kysely"
import { toBuffer } from "../../database/values.ts"

const toHex = (bytes: Uint8Array | undefined): string | null => (bytes ? toBuffer(bytes).toString("hex") : null)

/** A known entry as a part of a row of JSON; its parts are `null` where none is known. */
export const knownRow = (known: KnownEntry | undefined): ReadonlyArray<number | string | null> => [
  known?.sequence ?? null,
  toHex(known?.id),
  toHex(known?.remoteId)
]

/** The columns of such a row, whose parts begin at a place. */
export const knownColumns = (row: RawBuilder<unknown>, place: number): RawBuilder<unknown> => {
  const part = (offset: number) => sql`${row} ->> ${sql.lit(place + offset)}`
  return sql`(${part(0)})::bigint as known_sequence, decode(${part(1)}, 'hex') as known_id,
    decode(${part(2)}, 'hex') as known_remote_id`
}
