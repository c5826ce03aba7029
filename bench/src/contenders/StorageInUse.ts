/** What a database read: rows of tables that it looked through, and places in indexes. */
export interface RowsRead {
  /** Of all tables. */
  readonly all: number
  /** Of the entries alone. */
  readonly entries: number
}

/** A storage with nothing in it, for one server. */
export interface StorageInUse {
  /** What our server is started with. */
  readonly flags: ReadonlyArray<string>
  /** Where it is; "" in memory. */
  readonly url: string
  /** Seconds of CPU that its connections used so far, where that can be told. */
  readonly cpuSeconds?: () => Promise<number>
  /** What was read so far, where that can be told: counted once nobody is connected any more, which it waits for. */
  readonly rowsRead?: () => Promise<RowsRead>
  /** Throws everything away. */
  readonly close: () => Promise<void>
}
