import type { Address } from "../load/protocols.ts"
import type { ServerProcess } from "../processes.ts"

/** A server process, and how to speak with it. */
export interface Server extends ServerProcess, Address {}
