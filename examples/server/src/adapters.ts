import { startFastify } from "./fastify.ts"
import { startHono } from "./hono.ts"
import type { Start } from "./start.ts"

/** How to start each web framework that `--adapter` can name. */
export const adapters = { fastify: startFastify, hono: startHono } satisfies Record<string, Start>
