import { idOf } from "../../seen.ts"
import { storages } from "../../server/storages/index.ts"
import { readSettings, serveCommands } from "../processes/serveCommands.ts"
import { adapters } from "./adapters.ts"
import { createServer } from "./createServer.ts"
import { Meter } from "./Meter.ts"
import type { ServerCommands, ServerSettings } from "./settings.ts"

/** The server under attack: an app as the docs write it, and a meter. */

const settings = readSettings<ServerSettings>()
const open = storages[settings.storage]
if (open === undefined) throw new Error(`There is no storage ${settings.storage}`)
const storage = await open(settings.address, false)
let readsHang = false
const server = createServer(settings, storage.backend, () => readsHang)
await server.ready()
const app = await adapters[settings.adapter](server, settings.port)
const meter = new Meter()

const ids = async (storeId: string): Promise<ReadonlyArray<string>> => {
  const found: Array<string> = []
  for await (const { entry } of server.read({ storeId, from: 1 })) found.push(idOf(entry.id))
  return found
}

const handled = async (storeId: string): Promise<number> => {
  const from = performance.now()
  const { sequenceNumbers } = await server.write({ storeId, event: "Added", payload: { key: "k", text: "t" } })
  await server.processed({ storeId, sequence: sequenceNumbers[0]! })
  return performance.now() - from
}

serveCommands<ServerCommands>({
  begin: () => meter.begin(),
  measure: () => meter.measure(),
  remove: (publicKey) => server.remove(publicKey),
  handled,
  ids,
  hangReads: async () => {
    readsHang = true
  }
})

const stop = async (): Promise<void> => {
  await app.close()
  await storage.close()
  process.exit(0)
}
process.once("SIGTERM", () => void stop())
