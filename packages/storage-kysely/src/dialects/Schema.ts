import type { ColumnDataType, RawBuilder } from "kysely"
import type { Connection, Target } from "../database/Target.ts"

type ColumnType = ColumnDataType | RawBuilder<unknown>

/** The types of columns. */
export interface ColumnTypes {
  /** A number that the database counts up; it becomes the primary key. */
  readonly id: ColumnType
  /** Text of up to so many characters that is compared and ordered by its bytes, each of them. */
  readonly key: (characters: number) => ColumnType
  /** Text of any length. It is never compared. */
  readonly text: ColumnType
  /** 16 bytes, compared byte by byte. */
  readonly bytes16: ColumnType
  /** Bytes, as many as an entry may have. */
  readonly blob: ColumnType
}

/** How tables are made: what migrations need. */
export interface Schema {
  readonly columns: ColumnTypes
  /** Makes an index of a table; does nothing where there is one of that name. */
  readonly createIndex: (
    connection: Connection,
    table: RawBuilder<unknown>,
    name: string,
    columns: ReadonlyArray<string>
  ) => Promise<unknown>
  /** Adds a column to a table; does nothing where there is one of that name. */
  readonly addColumn: (
    connection: Connection,
    table: RawBuilder<unknown>,
    definition: RawBuilder<unknown>
  ) => Promise<unknown>
  /** What else the tables need when they are made, after them. */
  readonly complete?: ((target: Target, prefix: string) => Promise<void>) | undefined
}
