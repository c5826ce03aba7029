/** A storage with nothing in it, for one server. */
export interface StorageInUse {
  /** What our server is started with. */
  readonly flags: ReadonlyArray<string>
  /** Where it is; "" in memory. */
  readonly url: string
  /** Seconds of CPU that its connections used so far, where that can be told. */
  readonly cpuSeconds?: () => Promise<number>
  /** Throws everything away. */
  readonly close: () => Promise<void>
}
