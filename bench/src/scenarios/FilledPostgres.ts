import type { Contender, Measurement, Role } from "../benchmark.ts"
import { fillPostgres, type PostgresHistory } from "../contenders/fillPostgres.ts"
import { startOurs } from "../contenders/ours.ts"
import type { StorageInUse } from "../contenders/StorageInUse.ts"
import type { Server } from "../contenders/server.ts"
import { storages } from "../contenders/storages.ts"
import { type Settings, serverContender } from "./scenario.ts"

/** The store that is read. */
export const storeId = "store-0"

/** A PostgreSQL with a history, which is filled once, by whichever contender is first, and which all of them read in turn. */
export class FilledPostgres {
  readonly #settings: Settings
  readonly #history: Omit<PostgresHistory, "storeId">
  #opened: Promise<StorageInUse> | undefined

  constructor(settings: Settings, history: Omit<PostgresHistory, "storeId">) {
    this.#settings = settings
    this.#history = history
  }

  /** A server that reads it. Tells the rows that were read from its start to its end, too. */
  server(
    [role, label]: readonly [role: Role, label: string],
    measure: (server: Server) => Promise<Measurement>,
    start: (storage: StorageInUse) => Promise<Server>
  ): Contender {
    return {
      role,
      label,
      measure: async () => {
        this.#opened ??= this.#open()
        const storage = await this.#opened
        const startWatched = async () => ({ ...(await start(storage)), databaseCpuSeconds: storage.cpuSeconds })
        const before = await storage.rowsRead!()
        const measurement = await serverContender(role, label, startWatched, measure).measure()
        const after = await storage.rowsRead!()
        return {
          ...measurement,
          "rows read": after.all - before.all,
          "of entries": after.entries - before.entries
        }
      }
    }
  }

  /** Throws it away, where there is one. */
  async close(): Promise<void> {
    const storage = await this.#opened?.catch(() => undefined)
    this.#opened = undefined
    await storage?.close()
  }

  async #open(): Promise<StorageInUse> {
    const storage = await storages.postgres()
    try {
      // It makes the tables, and gives the store's key its store.
      await (await startOurs({ ...this.#settings.ours, profileTo: undefined, storage: storage.flags })).stop()
      await fillPostgres(storage.url, { storeId, ...this.#history })
      return storage
    } catch (error) {
      await storage.close()
      throw error
    }
  }
}
