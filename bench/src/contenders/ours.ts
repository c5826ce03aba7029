import { fileURLToPath } from "node:url"
import { publicKeyOf } from "../load/device.ts"
import { startServer } from "../processes.ts"
import type { Server } from "./server.ts"

/** How our server is run. */
export interface OursOptions {
  /** The script of `examples/server`; another checkout's can be compared with. */
  readonly script: string
  /** Flags of the storage. */
  readonly storage: ReadonlyArray<string>
  /** Stores that exist, `store-0` and on. @default 1 */
  readonly stores?: number | undefined
  /** Milliseconds after which an entry counts as old. @default nothing is compacted */
  readonly compactOlderThan?: number | undefined
  /** What its clients speak: our protocol, or that of effect's own clients. @default "ours" */
  readonly protocol?: "ours" | "stock" | undefined
  /** Where to write a CPU profile when the server ends. @default none is taken */
  readonly profileTo?: string | undefined
}

/** The script that `npm run build` makes. */
export const builtServer = fileURLToPath(new URL("../../../examples/server/dist/main.js", import.meta.url))

/** Starts our server. */
export const startOurs = async (options: OursOptions): Promise<Server> => {
  const { compactOlderThan, profileTo, protocol = "ours", script, storage, stores = 1 } = options
  const maps = Array.from({ length: stores }, (_, index) => {
    const storeId = `store-${index}`
    return ["--map", `${publicKeyOf(storeId)}=${storeId}`]
  })
  const compaction = compactOlderThan === undefined ? [] : ["--compact-older-than", String(compactOlderThan)]
  const nodeArgs = profileTo === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", profileTo]
  const databaseUrl = storage.find((flag) => flag.startsWith("postgres:"))
  const args = ["--port", "0", ...storage, ...maps.flat(), ...compaction]
  return { ...(await startServer(script, args, { nodeArgs, databaseUrl })), protocol }
}
