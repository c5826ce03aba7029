import type { Address } from "../load/protocols.ts"
import type { ServerProcess } from "../processes.ts"

/** A server process, and how to speak with it. */
export interface Server extends ServerProcess, Address {
  /** Seconds of CPU that its database used for it so far, where that can be told. */
  readonly databaseCpuSeconds?: (() => Promise<number>) | undefined
}
