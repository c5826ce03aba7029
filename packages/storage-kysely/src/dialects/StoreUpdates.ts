import type { KnownEntry } from "@eventlog-server/core/backend"
import type { RawBuilder } from "kysely"
import type { RunTarget } from "../database/Target.ts"
import { toNumber } from "../database/values.ts"
import type { StoreRow } from "../schema/tables.ts"

/** What somebody asks for who has, or wants, the lease of a store. */
export interface LeaseCall {
  readonly storeId: string
  /** What the lease is held by. */
  readonly token: string
  /** The last entry that was processed, where it is about one. */
  readonly processed?: KnownEntry | undefined
}

/** A `LeaseCall` as SQL. */
export interface LeaseCallSql {
  readonly token: RawBuilder<string>
  /** The sequence of the entry that was processed. */
  readonly sequence: RawBuilder<number>
  /** The condition that the store, `s`, holds that entry. */
  readonly holds: RawBuilder<boolean>
}

/** How the row of a store, `s`, is updated for a call. */
export interface StoreUpdate {
  readonly set: RawBuilder<unknown>
  readonly where: RawBuilder<boolean>
}

/** An update as it is for each call. */
export type StoreUpdateOf = (call: LeaseCallSql) => StoreUpdate

/** How far a store was processed, as its row says it. */
export type CursorRow = Pick<StoreRow, "processed" | "replay_to" | "rewind_to">

/** How far a store was processed. */
export interface StoreCursor {
  readonly cursor: number
  /** See `Lease.replayTo`. */
  readonly replayTo: number
  /** See `Lease.rewindTo`. */
  readonly rewindTo: number | undefined
}

export const toCursor = ({ processed, replay_to, rewind_to }: CursorRow): StoreCursor => ({
  cursor: toNumber(processed),
  replayTo: toNumber(replay_to),
  rewindTo: rewind_to === null ? undefined : toNumber(rewind_to)
})

/**
 * Updates the rows of several stores, all different, in one atomic step and without waiting for anybody. Leaves out rows
 * that somebody holds, and those that don't meet the condition. Returns for each call that updated a row, by its index, the
 * cursor that is there. One that the update moves may be that of before.
 */
export type UpdateStores = (
  target: RunTarget,
  calls: ReadonlyArray<LeaseCall>,
  updateOf: StoreUpdateOf
) => Promise<ReadonlyMap<number, StoreCursor>>
