import { buildApp } from "./app.ts"

const {
  DATABASE_URL = "postgres://postgres@127.0.0.1:5432/notebook",
  LEASE_MILLIS = "30000",
  PORT = "3000"
} = process.env

const app = await buildApp(DATABASE_URL, Number(LEASE_MILLIS))
const address = await app.listen({ host: "127.0.0.1", port: Number(PORT) })
console.log(`listening on ${address}`)

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void app.close())
