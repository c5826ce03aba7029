import type { Benchmark, Measurement } from "../benchmark.ts"
import { startBare } from "../contenders/bare.ts"
import { startEffect } from "../contenders/effect.ts"
import type { Server } from "../contenders/server.ts"
import { runLoad } from "../loads.ts"
import { writeHistory } from "./history.ts"
import { type Scenario, type Settings, serverContender, startOursInMemory } from "./scenario.ts"

const mebibyte = 1024 * 1024
const day = 24 * 60 * 60 * 1_000

interface Case {
  readonly stored: number
  /** Keys that are live, where the history is old enough to be compacted to the last entry of each. */
  readonly liveKeys?: number
  readonly devices: number
}

/** As many entries as a page of ours holds, so that the frames of the bare server are those of ours. */
const pageEntries = 512

/** Fills a store, then has devices read all of it; twice, so that what the first one warmed up shows. */
const measureOn = async (server: Server, { devices, liveKeys, stored }: Case): Promise<Measurement> => {
  const { protocol, url } = server
  const address = { protocol, url, storeId: "store-0" }
  const batch = protocol === "bare" ? pageEntries : 1_000
  const old = liveKeys === undefined ? {} : { keys: liveKeys, age: 10 * day }
  const filled = await writeHistory(server, { entries: stored, batch, ...old })
  const idle = server.memory()
  server.resetPeak()
  const read = () => runLoad({ kind: "bootstrap", ...address, devices, stored, delivered: liveKeys ?? stored }, server)
  const cold = await read()
  const peak = server.peakMemory()
  const again = await read()
  return {
    ...cold,
    "again ms": again["whole ms"]!,
    "peak minus idle MiB": (peak - idle) / mebibyte,
    "filled at entries/s": filled
  }
}

const makeBenchmark = (settings: Settings, it: Case): Benchmark => {
  const isCompacted = it.liveKeys !== undefined
  const measure = (server: Server) => measureOn(server, it)
  const name = isCompacted ? "compacted" : "raw"
  const limit = serverContender("limit", "bare read-and-send loop", () => startBare({ keeps: true }), measure)
  const start = () => startOursInMemory(settings, isCompacted ? { compactOlderThan: day } : {})
  return {
    name: `bootstrap/${name}/${it.stored}${it.devices === 1 ? "" : `-to-${it.devices}`}`,
    unit: "stored entries/s",
    better: "more",
    rounds: settings.quick || it.stored > 100_000 ? 1 : 3,
    contenders: [
      serverContender("ours", "ours on memory", start, measure),
      serverContender("peer", "effect on memory", () => startEffect({ compacts: isCompacted }), measure),
      ...(isCompacted ? [] : [limit])
    ]
  }
}

/** New devices get a long history: how long until the first page and until all of it, and what that takes. */
export const bootstrap: Scenario = (settings) => {
  const sizes = settings.quick ? [20_000] : [10_000, 100_000, 1_000_000]
  const cases: ReadonlyArray<Case> = [
    ...sizes.map((stored) => ({ stored, devices: 1 })),
    ...sizes.map((stored) => ({ stored, liveKeys: 1_000, devices: 1 })),
    ...(settings.quick ? [] : [{ stored: 100_000, devices: 20 }])
  ]
  return cases.map((it) => makeBenchmark(settings, it))
}
