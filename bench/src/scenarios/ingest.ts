import type { Benchmark } from "../benchmark.ts"
import { startBare } from "../contenders/bare.ts"
import { startEffect } from "../contenders/effect.ts"
import type { Server } from "../contenders/server.ts"
import { runLoad } from "../loads.ts"
import { type Scenario, type Settings, serverContender, startOursInMemory } from "./scenario.ts"

interface Case {
  readonly clients: number
  readonly batch: number
  readonly stores: number
}

const makeBenchmark = (settings: Settings, { batch, clients, stores }: Case): Benchmark => {
  const seconds = settings.seconds ?? (settings.quick ? 1.5 : 3)
  const measure = (server: Server) =>
    runLoad({ kind: "write", protocol: server.protocol, url: server.url, clients, batch, stores, seconds }, server)
  return {
    name: `ingest/memory/${clients}x${batch}${stores === 1 ? "" : `-into-${stores}`}`,
    unit: "entries/s",
    better: "more",
    rounds: settings.quick ? 1 : 3,
    contenders: [
      serverContender("ours", "ours on memory", () => startOursInMemory(settings, { stores }), measure),
      serverContender("peer", "effect on memory", () => startEffect(), measure),
      serverContender("limit", "bare ws", () => startBare(), measure)
    ]
  }
}

/** Clients that write batches and wait for their Acks: how many entries a second, and how long an Ack takes. */
export const ingest: Scenario = (settings) => {
  const cases: ReadonlyArray<Case> = settings.quick
    ? [{ clients: 64, batch: 1, stores: 1 }]
    : [1, 256].flatMap((clients) => [1, 100].flatMap((batch) => [1, 64].map((stores) => ({ clients, batch, stores }))))
  return cases.map((it) => makeBenchmark(settings, it))
}
