import { join } from "node:path"
import type { OpenStorage } from "./storage.ts"

/** A SQLite file, which all servers open. */
export const openSqlite: OpenStorage = async (folder) => ({
  address: join(folder, "feeds.db"),
  isDurable: true,
  canBeFull: true,
  faults: [],
  close: async () => {}
})
