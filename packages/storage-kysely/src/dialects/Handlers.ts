import type { RawBuilder } from "kysely"
import type { Tables } from "../schema/tables.ts"

/** The transactions that handlers run in. */
export interface Handlers {
  /** Whether the app's instance has one connection, which a transaction holds while it is open. */
  readonly singleConnection: boolean
  /**
   * The first statement of such a transaction: sees to it that nothing in it waits for longer than a lease lasts, or that
   * it can write to the end.
   */
  readonly begin: (tables: Tables, storeId: string, leaseMillis: number) => RawBuilder<unknown>
  /** The last statement, before it is committed or rolled back. */
  readonly end?: RawBuilder<unknown> | undefined
}
