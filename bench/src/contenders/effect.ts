import { startServer } from "../processes.ts"
import type { Server } from "./server.ts"

/** How effect's own server is run. */
export interface EffectOptions {
  /** A PostgreSQL database of its own. @default in memory */
  readonly databaseUrl?: string | undefined
  /** Whether it keeps only the last event of a kind and key of a backlog. @default false */
  readonly compacts?: boolean | undefined
}

/** Starts effect's own server. */
export const startEffect = async ({ compacts, databaseUrl }: EffectOptions = {}): Promise<Server> => {
  const storage = databaseUrl === undefined ? ["memory"] : ["postgres", databaseUrl]
  const args = compacts ? [...storage, "--compact"] : storage
  return {
    ...(await startServer(new URL("effectServer.ts", import.meta.url), args, { databaseUrl })),
    protocol: "effect"
  }
}
