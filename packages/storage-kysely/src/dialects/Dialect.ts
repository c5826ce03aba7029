import type { RawBuilder } from "kysely"
import type { Connection, Run } from "../database/Target.ts"
import type { AcrossStores } from "./AcrossStores.ts"
import type { Buckets } from "./Buckets.ts"
import type { Failure } from "./Failure.ts"
import type { Handlers } from "./Handlers.ts"
import type { Pack } from "./Pack.ts"
import type { Schema } from "./Schema.ts"
import type { UpdateStores } from "./StoreUpdates.ts"
import type { Writes } from "./Writes.ts"

/** How a database is told from others. */
export interface DatabaseProbe {
  /** What people call it. */
  readonly name: string
  /** Selects a row there. Elsewhere it fails, or selects none. */
  readonly statement: RawBuilder<unknown>
}

/** Everything that differs between databases. The rest of the package doesn't know which one it runs on. */
export interface Dialect {
  readonly probe: DatabaseProbe
  readonly schema: Schema
  readonly writes: Writes
  /** Where the database can do for several stores at once what is else done for each alone. */
  readonly acrossStores?: AcrossStores | undefined
  readonly buckets: Buckets
  /** Where many entries travel for less in one row than as a row each. */
  readonly pack?: Pack | undefined
  readonly handlers: Handlers
  readonly updateStores: UpdateStores
  /**
   * A condition that is always met, with which the commit of a statement doesn't wait for the disk, where the database has
   * such a thing. What the statement did may be lost when the database crashes, and nothing else.
   */
  readonly withoutFlush?: RawBuilder<boolean> | undefined
  /** Now, by the database's clock, in milliseconds since the epoch. */
  readonly now: RawBuilder<number>
  /**
   * Executes statements that stay prepared, where the database doesn't know a statement again by itself.
   *
   * @param onRefused called once, when they turn out not to work and are sent unprepared from then on
   */
  readonly runPrepared?: ((connection: Connection, onRefused: (cause: unknown) => void) => Run) | undefined
  readonly failureOf: (cause: unknown) => Failure
}
