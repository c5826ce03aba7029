import type { Limits } from "@eventlog-server/core/adapter"
import { getRuntimeKey } from "hono/adapter"
import { bunWarning } from "./bun.ts"
import { denoWarning } from "./deno.ts"
import { type NodeBindings, nodeWarning } from "./node.ts"

/** What whoever runs a server should know of the runtime, if anything: what it can't do, or wasn't told. */
export const runtimeWarning = (limits: Limits, bindings: NodeBindings | undefined): string | undefined => {
  const runtime = getRuntimeKey()
  if (runtime === "bun") return bunWarning(limits)
  return runtime === "deno" ? denoWarning(limits) : nodeWarning(limits, bindings)
}
