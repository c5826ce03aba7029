import type { Benchmark } from "../benchmark.ts"
import { startBare } from "../contenders/bare.ts"
import { startEffect } from "../contenders/effect.ts"
import type { Server } from "../contenders/server.ts"
import { runLoad } from "../loads.ts"
import { type Scenario, type Settings, serverContender, startOursInMemory } from "./scenario.ts"

/** Who is subscribed, and what is written meanwhile. */
export interface FanoutCase {
  readonly subscribers: number
  readonly stores: number
  readonly seconds: number
  /** Batches a second. @default as many as go */
  readonly rate?: number
  /** What the clients of our server speak. @default our protocol */
  readonly protocol?: "stock"
}

const batch = 10

const nameOf = ({ protocol, rate, stores, subscribers }: FanoutCase): string => {
  const beginning = protocol === undefined ? "fanout" : `${protocol}/fanout`
  if (rate !== undefined) return `${beginning}/paced/${subscribers}-at-${rate}`
  return `${beginning}/${subscribers}${stores === 1 ? "" : `-over-${stores}`}`
}

/** One case of fan-out. */
export const fanoutBenchmark = (settings: Settings, it: FanoutCase): Benchmark => {
  const { protocol, rate, seconds, stores, subscribers } = it
  const measure = (server: Server) =>
    runLoad(
      {
        kind: "fanout",
        protocol: server.protocol,
        url: server.url,
        subscribers,
        stores,
        batch,
        seconds: settings.seconds ?? seconds,
        rate
      },
      server
    )
  return {
    name: nameOf(it),
    unit: "entries/s",
    better: "more",
    rounds: settings.quick || rate !== undefined ? 1 : 3,
    contenders: [
      serverContender("ours", "ours on memory", () => startOursInMemory(settings, { stores, protocol }), measure),
      serverContender("peer", "effect on memory", () => startEffect(), measure),
      serverContender("limit", "bare ws", () => startBare(), measure)
    ]
  }
}

/** Committed entries reach subscribers: how many a second, and how late. Writes are batches of 10 entries. */
export const fanout: Scenario = (settings) => {
  const cases: ReadonlyArray<FanoutCase> = settings.quick
    ? [{ subscribers: 100, stores: 1, seconds: 1 }]
    : [
        ...[20, 100, 500, 2_000, 5_000].map((subscribers) => ({ subscribers, stores: 1, seconds: 4 })),
        { subscribers: 5_000, stores: 500, seconds: 4 },
        // Well below what goes, for a minute: does the delay grow?
        { subscribers: 100, stores: 1, seconds: 60, rate: 100 }
      ]
  return cases.map((it) => fanoutBenchmark(settings, it))
}
