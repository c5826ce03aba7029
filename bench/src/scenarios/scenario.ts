import type { Benchmark, Contender, Measurement, Role } from "../benchmark.ts"
import type { OursOptions } from "../contenders/ours.ts"
import { startOurs } from "../contenders/ours.ts"
import type { StorageInUse } from "../contenders/StorageInUse.ts"
import type { Server } from "../contenders/server.ts"
import { type StorageName, storages } from "../contenders/storages.ts"

/** What the command line asks of every scenario. */
export interface Settings {
  /** A few small cases, within two minutes altogether. */
  readonly quick: boolean
  /** How long to measure a case. @default as long as the scenario thinks right */
  readonly seconds: number | undefined
  /** How to run our server. */
  readonly ours: Pick<OursOptions, "script" | "profileTo">
}

/** Makes the benchmarks of one question. */
export type Scenario = (settings: Settings) => ReadonlyArray<Benchmark>

const mebibyte = 1024 * 1024

/** A contender that is a server: started for each measurement, and ended after it. */
export const serverContender = (
  role: Role,
  label: string,
  start: () => Promise<Server>,
  measure: (server: Server) => Promise<Measurement>
): Contender => ({
  role,
  label,
  measure: async () => {
    const server = await start()
    try {
      const measurement = await measure(server)
      return { ...measurement, "server MiB": server.peakMemory() / mebibyte }
    } finally {
      await server.stop()
    }
  }
})

/** A contender on a storage of its own, which is thrown away after each measurement. */
export const onStorage = (name: StorageName, makeContender: (storage: () => StorageInUse) => Contender): Contender => {
  let storage: StorageInUse | undefined
  const contender = makeContender(() => storage!)
  return {
    ...contender,
    measure: async () => {
      storage = await storages[name]()
      try {
        return await contender.measure()
      } finally {
        await storage.close()
      }
    }
  }
}

/** A server on a storage of its own; what its database uses is looked at, too. */
export const serverOn = (
  name: StorageName,
  [role, label]: readonly [role: Role, label: string],
  measure: (server: Server) => Promise<Measurement>,
  start: (storage: StorageInUse) => Promise<Server>
): Contender =>
  onStorage(name, (storage) =>
    serverContender(
      role,
      label,
      async () => ({ ...(await start(storage())), databaseCpuSeconds: storage().cpuSeconds }),
      measure
    )
  )

/** Ours, in memory. */
export const startOursInMemory = (settings: Settings, options: Partial<OursOptions> = {}): Promise<Server> =>
  startOurs({ ...settings.ours, storage: ["--storage", "memory"], ...options })
