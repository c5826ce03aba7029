import { randomBytes } from "node:crypto"
import { Redis } from "ioredis"
import { createApp } from "./app.ts"
import { serve } from "./serve.ts"

const redis = new Redis(process.env.REDIS_URL ?? "redis://127.0.0.1:6379")
redis.on("error", (error) => console.error("Redis:", error.message))

// Without a secret of its own every start logs everybody out.
const secret = process.env.SECRET ?? randomBytes(32).toString("hex")
const { stop, url } = await serve(createApp({ redis, secret }), Number(process.env.PORT ?? 9400))
console.log(`listening on ${url}`)

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void stop().finally(() => redis.disconnect()))
}
