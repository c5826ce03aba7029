import { buildApp } from "./app.ts"

const app = await buildApp(process.env.FILE ?? "groceries.sqlite")
await app.listen({ port: Number(process.env.PORT ?? 9402) })
process.once("SIGTERM", () => app.close())
process.once("SIGINT", () => app.close())
