/** A storage with nothing in it, for one server. */
export interface StorageInUse {
  /** What our server is started with. */
  readonly flags: ReadonlyArray<string>
  /** Where it is; "" in memory. */
  readonly url: string
  /** Seconds of CPU that its connections used so far, where that can be told. */
  readonly cpuSeconds?: () => Promise<number>
  /**
   * Rows, and places in indexes, that were read of its tables so far, where that can be told: counted once nobody is connected
   * any more, which it waits for.
   */
  readonly rowsRead?: () => Promise<number>
  /** Throws everything away. */
  readonly close: () => Promise<void>
}
