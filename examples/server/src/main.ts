import { adapters } from "./adapters.ts"
import { type Flags, readFlags, UsageError, usage } from "./flags.ts"
import { makeRoutes } from "./routes.ts"
import { createServer } from "./server.ts"
import { storages } from "./storages/storages.ts"

const fail = (message: string, exitCode: number): never => {
  console.error(message)
  process.exit(exitCode)
}

const flagsOrExit = (): Flags => {
  try {
    const flags = readFlags(process.argv.slice(2))
    if (flags !== "help") return flags
    console.log(usage)
    return process.exit(0)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    return fail(`${error.message}\n\n${usage}`, 2)
  }
}

const run = async (flags: Flags) => {
  const storage = await storages[flags.storage].open(flags)
  const server = createServer(storage.backend, flags)
  await server.ready()
  for (const { publicKey, storeId } of flags.map) {
    await server.assign({ publicKey, storeId }).catch((error) => {
      throw new Error(`--map ${publicKey}=${storeId}: ${error.message}`)
    })
  }

  const app = await adapters[flags.adapter]({ ...flags, server, routes: makeRoutes(server) })
  console.log(`listening on http://${flags.host}:${app.port}`)

  const stop = async () => {
    await app.close()
    await server.close()
    await storage.close()
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void stop())
}

const flags = flagsOrExit()
await run(flags).catch((error: NodeJS.ErrnoException) =>
  fail(error.code === "EADDRINUSE" ? `Port ${flags.port} is taken: choose another one with --port` : error.message, 1)
)
