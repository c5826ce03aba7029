import type { Benchmark, Contender, Measurement } from "../benchmark.ts"
import { type BareReading, startBareReader } from "../contenders/bareReader.ts"
import { startOurs } from "../contenders/ours.ts"
import type { Server } from "../contenders/server.ts"
import { runLoad } from "../loads.ts"
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

/** A new device reads it all, and another one: the second finds code that is compiled, and is what counts. */
const measureOn = async (server: Server, delivered: number, stored: number): Promise<Measurement> => {
  const { protocol, url } = server
  const job = { kind: "bootstrap", protocol, url, storeId, devices: 1, stored, delivered } as const
  const first = await runLoad(job, server)
  const { value, "whole ms": whole, ...second } = await runLoad(job, server)
  const seconds = whole! / 1_000
  return {
    value: whole!,
    "first entry ms": second["first page ms"]!,
    "stored entries/s": value,
    "server CPU s": second["server CPU"]! * seconds,
    "database CPU s": second["database CPU"]! * seconds,
    "load CPU": second["load CPU"]!,
    "first device's first entry ms": first["first page ms"]!,
    "first device's whole ms": first["whole ms"]!
  }
}

/** Both devices read the same. */
const ofOneDevice = (contender: Contender): Contender => ({
  ...contender,
  measure: async () => {
    const measurement = await contender.measure()
    return { ...measurement, "rows read": measurement["rows read"]! / 2, "of entries": measurement["of entries"]! / 2 }
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
  const measure = (entries: number) => (server: Server) =>
    measureOn(server, kind === "compacted" ? liveKeys : entries, entries)
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
    contenders: [...ours, bare].map(ofOneDevice),
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
