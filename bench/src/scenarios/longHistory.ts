import type { Benchmark, Contender, Measurement } from "../benchmark.ts"
import { type BareReading, startBareReader } from "../contenders/bareReader.ts"
import { startOurs } from "../contenders/ours.ts"
import type { Server } from "../contenders/server.ts"
import { runLoad } from "../loads.ts"
import { median } from "../statistics.ts"
import { FilledPostgres, storeId } from "./FilledPostgres.ts"
import type { Scenario, Settings } from "./scenario.ts"

interface Case {
  readonly kind: "raw" | "compacted"
  readonly stored: number
  /** What the name calls that. */
  readonly size: string
  /** Another history that ours is measured with beside this one. @default none */
  readonly besideStored?: number
  readonly onRequest?: true
}

/** Keys that are live: a compacted history is the last entry of each. */
const liveKeys = 1_000
const day = 24 * 60 * 60 * 1_000

/**
 * Devices that read it, one after the other. The first ones find code that is not compiled yet, so the last third counts: of a
 * million entries two, of a thousand more.
 */
const devices = { raw: 2, compacted: 12 } as const satisfies Record<Case["kind"], number>

interface Reading {
  readonly kind: Case["kind"]
  readonly stored: number
}

const measureOn = async (server: Server, { kind, stored }: Reading): Promise<Measurement> => {
  const { protocol, url } = server
  const delivered = kind === "compacted" ? liveKeys : stored
  const runs: Array<Measurement> = []
  for (let device = 0; device < devices[kind]; device++) {
    runs.push(await runLoad({ kind: "bootstrap", protocol, url, storeId, devices: 1, stored, delivered }, server))
  }
  const counting = runs.slice(-Math.ceil(runs.length / 3))
  const medianOf = (figure: (run: Measurement) => number) => median(counting.map(figure))
  const secondsOf = (name: string) => medianOf((run) => (run[name]! * run["whole ms"]!) / 1_000)
  return {
    value: medianOf((run) => run["whole ms"]!),
    "first entry ms": medianOf((run) => run["first page ms"]!),
    "stored entries/s": medianOf(({ value }) => value),
    "server CPU s": secondsOf("server CPU"),
    "database CPU s": secondsOf("database CPU"),
    "load CPU": medianOf((run) => run["load CPU"]!),
    "first device's first entry ms": runs[0]!["first page ms"]!,
    "first device's whole ms": runs[0]!["whole ms"]!
  }
}

/** All devices read the same. */
const ofOneDevice = (contender: Contender, kind: Case["kind"]): Contender => ({
  ...contender,
  measure: async () => {
    const measurement = await contender.measure()
    const each = (name: string) => ({ [name]: measurement[name]! / devices[kind] })
    return { ...measurement, ...each("rows read"), ...each("of entries") }
  }
})

const bareOnes = {
  raw: ["bare pages of 512 rows", "pages"],
  compacted: ["bare loose index scan", "lasts"]
} as const satisfies Record<Case["kind"], readonly [label: string, reading: BareReading]>

const makeBenchmark = (settings: Settings, { kind, size, stored, ...it }: Case): Benchmark => {
  const compactOlderThan = kind === "compacted" ? day : undefined
  const databases = [stored, ...(it.besideStored === undefined ? [] : [it.besideStored])].map(
    (entries) => [entries, new FilledPostgres(settings, { entries, keys: liveKeys })] as const
  )
  const measure = (stored: number) => (server: Server) => measureOn(server, { kind, stored })
  const [label, reading] = bareOnes[kind]
  const ours = databases.map(([entries, database], index) =>
    database.server(
      index === 0 ? ["ours", "ours on postgres"] : ["limit", `ours with ${entries} entries stored`],
      measure(entries),
      ({ flags }) => startOurs({ ...settings.ours, storage: flags, compactOlderThan })
    )
  )
  const [[, database]] = databases as [(typeof databases)[number]]
  const bare = database.server(["bare", label], measure(stored), ({ url }) => startBareReader(url, reading))
  return {
    name: `history/postgres/${kind}-${size}`,
    unit: "ms until all is there",
    better: "less",
    rounds: settings.quick ? 1 : 3,
    contenders: [...ours, bare].map((contender) => ofOneDevice(contender, kind)),
    onRequest: it.onRequest,
    end: async () => {
      for (const [, database] of databases) await database.close()
    }
  }
}

/** A new device gets a history from PostgreSQL that is far longer than what is alive of it, as it is or compacted. */
export const longHistory: Scenario = (settings) => {
  const million = 1_000_000
  const cases: ReadonlyArray<Case> = settings.quick
    ? [{ kind: "compacted", stored: 20_000, size: "20000" }]
    : [
        { kind: "raw", stored: million, size: "million" },
        { kind: "compacted", stored: million, size: "million" },
        // Filling it takes minutes.
        { kind: "compacted", stored: 10 * million, size: "ten-million", besideStored: million, onRequest: true }
      ]
  return cases.map((it) => makeBenchmark(settings, it))
}
