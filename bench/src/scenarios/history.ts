import { setTimeout as sleep } from "node:timers/promises"
import type { Server } from "../contenders/server.ts"
import { runLoad } from "../loads.ts"

/** What a store's history is made of. */
export interface History {
  readonly entries: number
  /** Entries of one write. @default 1_000 */
  readonly batch?: number
  /** Primary keys that the entries go round. @default every entry has its own */
  readonly keys?: number
  /** Milliseconds that the entries claim to be old. @default 0 */
  readonly age?: number
}

/**
 * Fills the store `store-0` of a server that was just started, and waits until its handlers ran too, so that they don't
 * slow down what is measured next. Answers how many entries a second were written.
 */
export const writeHistory = async (server: Server, history: History): Promise<number> => {
  const { protocol, url } = server
  const { value } = await runLoad({ kind: "fill", protocol, url, storeId: "store-0", batch: 1_000, ...history }, server)
  if (protocol === "ours") await untilProcessed(url, history.entries)
  return value
}

const untilProcessed = async (url: string, entries: number): Promise<void> => {
  while (true) {
    const { replayed } = (await (await fetch(`${url}/stats`)).json()) as { readonly replayed: number }
    if (replayed >= entries) return
    await sleep(100)
  }
}
