/** The hostile peers of one process. */
export interface BesiegerSettings {
  /** Where the server is mounted. */
  readonly url: string
  readonly connections: number
  /** Names of the kinds that there are. */
  readonly kinds: ReadonlyArray<string>
  /** Milliseconds within which they come. */
  readonly ramp: number
  /** Tells processes apart: their keys and addresses differ. */
  readonly process: number
}

/** What hostile peers went through. */
export interface BesiegerReport {
  /** Connections that are open now. */
  readonly open: number
  /** Connections that were opened, or tried to. */
  readonly attempts: number
  /** How often connections ended by the server, by code. */
  readonly closes: Readonly<Record<string, number>>
}

/** What the program of hostile peers can be told. */
export interface BesiegerCommands {
  readonly report: () => Promise<BesiegerReport>
}
