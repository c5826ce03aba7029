import { parseArgs } from "node:util"
import { createTodoApp, type Start } from "./app.ts"
import { startFastify } from "./fastify.ts"
import { startHono } from "./hono.ts"
import { readPageFiles } from "./pageFiles.ts"
import { openStorage } from "./storage.ts"

const adapters: Record<string, Start> = { fastify: startFastify, hono: startHono }

const usage = `Usage: npm start -- [--adapter fastify|hono] [--port PORT] [--host HOST] [--data FILE]

  --adapter  the web framework to run on (default fastify)
  --port     default 9400, or the PORT environment variable; 0 picks a free one
  --host     default 127.0.0.1; browsers sync over plain http on localhost only
  --data     the SQLite file that everything is kept in (default todos.db)`

const refuse = (message: string, exitCode: number): never => {
  console.error(message)
  process.exit(exitCode)
}

const readOptions = () => {
  try {
    const { values } = parseArgs({
      options: {
        adapter: { type: "string", default: "fastify" },
        port: { type: "string", default: process.env.PORT ?? "9400" },
        host: { type: "string", default: "127.0.0.1" },
        data: { type: "string", default: "todos.db" }
      }
    })
    const start = Object.hasOwn(adapters, values.adapter) ? adapters[values.adapter] : undefined
    if (start === undefined) throw new Error(`Unknown adapter "${values.adapter}"`)
    if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65535) throw new Error(`Not a port: "${values.port}"`)
    return { start, host: values.host, port: Number(values.port), data: values.data }
  } catch (error) {
    return refuse(`${(error as Error).message}\n\n${usage}`, 2)
  }
}

const { start, host, port, data } = readOptions()
const storage = await openStorage(data).catch((error: Error) => refuse(`--data ${data}: ${error.message}`, 1))
const todos = createTodoApp(storage.backend)
const files = await readPageFiles(new URL("./page/", import.meta.url))

const app = await start({ todos, files, host, port }).catch((error: NodeJS.ErrnoException) =>
  refuse(
    error.code === "EADDRINUSE" ? `Port ${port} is taken. Choose another one: npm start -- --port 9401` : error.message,
    1
  )
)
console.log(`listening on http://${host === "127.0.0.1" ? "localhost" : host}:${app.port}`)

const stop = async () => {
  await app.close()
  await storage.close()
}
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void stop())
