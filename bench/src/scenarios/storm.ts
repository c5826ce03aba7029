import type { Benchmark, Measurement } from "../benchmark.ts"
import { startBare } from "../contenders/bare.ts"
import { startOurs } from "../contenders/ours.ts"
import type { Server } from "../contenders/server.ts"
import { runLoad } from "../loads.ts"
import { FilledPostgres, storeId } from "./FilledPostgres.ts"
import { writeHistory } from "./history.ts"
import { type Scenario, type Settings, serverContender } from "./scenario.ts"

/** Entries that a device missed. */
const backlog = 1_000
/** Entries that every device had before. */
const before = 9_000

const mebibyte = 1024 * 1024

const measureOn = async (server: Server, devices: number, from: number): Promise<Measurement> => {
  const { protocol, url } = server
  server.resetPeak()
  const idle = server.memory()
  const job = { kind: "storm", protocol, url, storeId, devices, from, delivered: backlog } as const
  const measured = await runLoad(job, server)
  const { "server CPU": node = 0, "database CPU": database, "statements/s": statements, ...rest } = measured
  return {
    ...rest,
    "server CPU s": node * measured.value,
    ...(database === undefined ? {} : { "database CPU s": database * measured.value }),
    ...(statements === undefined ? {} : { statements: statements * measured.value }),
    "peak minus idle MiB": (server.peakMemory() - idle) / mebibyte
  }
}

const makeBenchmark = (settings: Settings, devices: number): Benchmark => {
  const database = new FilledPostgres(settings, { entries: before + backlog, keys: backlog, devices })
  const ours = database.server(
    ["ours", "ours on postgres"],
    (server) => measureOn(server, devices, before + 1),
    ({ flags }) => startOurs({ ...settings.ours, storage: flags })
  )
  const measureBare = async (server: Server) => {
    // Frames as ours are: a page, and what is left.
    await writeHistory(server, { entries: backlog, batch: backlog / 2 })
    return measureOn(server, devices, 1)
  }
  return {
    name: `storm/postgres/${devices}-back`,
    unit: "s until all have theirs",
    better: "less",
    rounds: 1,
    contenders: [
      ours,
      serverContender("limit", "bare ws that sends it from an array", () => startBare({ keeps: true }), measureBare)
    ],
    end: () => database.close()
  }
}

/**
 * The devices of one store come back at the same moment, as after a deploy, and each reads what it missed. effect's own server
 * takes no part: it loads each backlog whole into an unbounded queue, five million entries together.
 */
export const storm: Scenario = (settings) => [makeBenchmark(settings, settings.quick ? 100 : 5_000)]
