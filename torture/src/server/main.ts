import { idOf, storedEntry } from "../seen.ts"
import { shiftClock } from "./clock.ts"
import type { Answer, Arguments, Call, Commands, Reply, Settings } from "./commands.ts"
import { createServer } from "./createServer.ts"
import { makeHandlerLog } from "./handlerLog.ts"
import { storages } from "./storages/index.ts"
import { openWebSockets } from "./websockets.ts"

/** A server program: serves devices on a port, and does what its parent tells it until that tells it to stop. */

const settings = JSON.parse(process.argv[2] ?? "") as Settings
shiftClock(settings.clockOffset)

const open = storages[settings.storage]
if (open === undefined) throw new Error(`There is no storage ${settings.storage}`)
const storage = await open(settings.address, settings.isTransactional)
const log = makeHandlerLog(settings)
let server = createServer(storage, log)
// The backend is open then. Whether the storage answers just now is no reason not to start: what is away comes back.
await server.stats()
const sockets = await openWebSockets(settings.port, () => server)

const readAll = async (storeId: string): Promise<Answer<"read">> => {
  const entries: Array<Answer<"read">[number]> = []
  for await (const entry of server.read({ storeId, from: 1 })) entries.push(storedEntry(entry))
  return entries
}

const readFailures = async (): Promise<Answer<"failures">> => {
  const found: Array<Awaited<ReturnType<typeof server.failures>>[number]> = []
  while (true) {
    const page = await server.failures({ after: found.at(-1), limit: 500 })
    found.push(...page)
    if (page.length < 500) break
  }
  return found.map(({ entryId, event, sequence, storeId }) => ({ id: idOf(entryId), event, sequence, storeId }))
}

const commands: Commands = {
  assign: (options) => server.assign(options),
  remove: (publicKey) => server.remove(publicKey),
  write: async ({ key, runHandlers, storeId, text }) => {
    const { sequenceNumbers } = await server.write({ storeId, event: "Changed", payload: { key, text }, runHandlers })
    return sequenceNumbers[0] ?? 0
  },
  read: readAll,
  processed: (options) => server.processed(options),
  projection: async (storeId) => storage.projection?.read(storeId),
  failures: readFailures,
  retry: async (place) => {
    await (place === undefined ? server.retryFailures({ reason: "HandlerFailed" }) : server.retryFailure(place))
  },
  reprocess: async (storeId) => {
    await server.reprocess({ storeId })
  },
  discard: (place) => server.discardFailure(place),
  disconnect: (publicKey) => server.disconnect({ publicKey }),
  memory: async () => process.memoryUsage.rss(),
  shiftClock: async (millis) => shiftClock(millis),
  redeploy: async () => {
    const before = server
    server = createServer(storage, log)
    await before.close()
  },
  setFull: async (isFull) => storage.setFull?.(isFull)
}

const answer = async <Name extends keyof Commands>({ args, id, name }: Call): Promise<Reply> => {
  try {
    const command = commands[name] as (...args: Arguments<Name>) => Promise<Answer<Name>>
    return { id, value: await command(...(args as Arguments<Name>)) }
  } catch (error) {
    return { id, error: String(error) }
  }
}

const stop = async (): Promise<void> => {
  await server.close()
  sockets.close()
  await storage.close()
  process.exit(0)
}

process.on("message", (call: Call) => void answer(call).then((reply) => process.send?.(reply, () => {})))
process.once("SIGTERM", () => void stop())
// Nothing of a run outlives the harness.
process.once("disconnect", () => process.exit(0))
process.send?.({ id: 0, value: sockets.port } satisfies Reply)
