/** The honest devices of a run. */
export interface HonestSettings {
  /** Where the server is mounted. */
  readonly url: string
  /** Half of them speak eventlog.v1, half effect's RPC. */
  readonly devices: number
  readonly devicesPerStore: number
  /** Of each device. */
  readonly writesPerSecond: number
  /** The address that they come from. */
  readonly from: string
}

/** What honest devices saw since the last report. Milliseconds are from the first sending of an entry to its ack. */
export interface HonestReport {
  readonly acks: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  /** Entries that wait for their ack count with their age. */
  readonly max: number
  /** How often connections ended, by close code. */
  readonly closes: Readonly<Record<string, number>>
  /** Writes that were refused, to be sent again. */
  readonly refusals: number
  /** Devices that have no connection now. */
  readonly offline: number
}

/** What honest devices hold the server to. */
export interface HonestLedger {
  /** Ids of acked entries by store. */
  readonly acked: Readonly<Record<string, ReadonlyArray<string>>>
  /** Entries that were never acked. */
  readonly unacked: number
}

/** What the program of honest devices can be told. */
export interface HonestCommands {
  readonly report: () => Promise<HonestReport>
  /** Writes nothing more and waits for the acks that are due. @param patience milliseconds */
  readonly finish: (patience: number) => Promise<HonestLedger>
}
