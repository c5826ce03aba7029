import { short } from "./short.ts"
import { median, spread } from "./statistics.ts"

/** What one run measured. `value` is what contenders are compared by; the others are told beside it. */
export interface Measurement {
  readonly value: number
  readonly [detail: string]: number
}

/**
 * Whose figure it is: ours, that of effect's own server, that of a bare websocket server that does the least that a
 * write to the same database needs, or the physical limit.
 */
export type Role = "ours" | "peer" | "bare" | "limit"

/** One that takes part in a benchmark. */
export interface Contender {
  readonly role: Role
  /** What it is, for people. */
  readonly label: string
  /** Runs once, from nothing. Rejects when it can't. */
  readonly measure: () => Promise<Measurement>
}

/** The same work for every contender. */
export interface Benchmark {
  /** Slash-separated, from the general to the special: `--only` takes it, or the first parts of it. */
  readonly name: string
  /** Of `value`, such as `entries/s`. */
  readonly unit: string
  /** Whether more or less is better. */
  readonly better: "more" | "less"
  readonly contenders: ReadonlyArray<Contender>
  /** Contenders that can't take part on this machine, and why. */
  readonly skipped?: ReadonlyArray<string>
  /** How often each contender runs. */
  readonly rounds: number
  /** Whether it runs only when it is asked for by its whole name: it takes many minutes. @default no */
  readonly onRequest?: true | undefined
  /** Throws away what contenders share. Called once, after the last of them. @default they share nothing */
  readonly end?: () => Promise<void>
}

/** What became of a benchmark. `null`: that contender doesn't exist, was skipped or failed. */
export interface Result {
  readonly name: string
  readonly unit: string
  readonly better: Benchmark["better"]
  /** Medians over the rounds. */
  readonly ours: number | null
  readonly peer: number | null
  readonly bare: number | null
  readonly limit: number | null
  /** `ours` divided by `peer`. */
  readonly ratioToPeer: number | null
  /** `ours` divided by `bare`. */
  readonly ratioToBare: number | null
  /** `ours` divided by `limit`. */
  readonly ratioToLimit: number | null
  /** For each contender: how far its rounds lie apart, as a part of the median. */
  readonly spread: Partial<Record<Role, number>>
  /** For each contender: medians of what else was measured. */
  readonly details: Partial<Record<Role, Readonly<Record<string, number>>>>
  readonly labels: Partial<Record<Role, string>>
  /** Why a figure is missing. */
  readonly skipped: ReadonlyArray<string>
}

type Runs = ReadonlyMap<Contender, ReadonlyArray<Measurement>>

/** Runs the contenders in turn, again and again, so that a noisy minute hits all of them. */
export const run = async (benchmark: Benchmark, onProgress: (line: string) => void): Promise<Result> => {
  try {
    return await takeTurns(benchmark, onProgress)
  } finally {
    await benchmark.end?.()
  }
}

const takeTurns = async (benchmark: Benchmark, onProgress: (line: string) => void): Promise<Result> => {
  const runs = new Map(benchmark.contenders.map((contender) => [contender, [] as Array<Measurement>]))
  const skipped = [...(benchmark.skipped ?? [])]
  for (let round = 0; round < benchmark.rounds; round++) {
    for (const [contender, measurements] of runs) {
      try {
        const measurement = await contender.measure()
        measurements.push(measurement)
        onProgress(`${benchmark.name}: ${contender.label} ${short(measurement.value)} ${benchmark.unit}`)
      } catch (error) {
        // It would fail again, and waste everybody's time.
        runs.delete(contender)
        skipped.push(`${contender.label}: ${(error as Error).message}`)
      }
    }
  }
  return summarize(benchmark, runs, skipped)
}

/** The result of a benchmark that was left out. */
export const leaveOut = (benchmark: Benchmark, reason: string): Result => summarize(benchmark, new Map(), [reason])

const summarize = (benchmark: Benchmark, runs: Runs, skipped: ReadonlyArray<string>): Result => {
  const byRole = new Map([...runs].map(([{ label, role }, measurements]) => [role, { label, measurements }]))
  const medianOf = (role: Role): number | null => {
    const measurements = byRole.get(role)?.measurements ?? []
    return measurements.length === 0 ? null : median(measurements.map(({ value }) => value))
  }
  const fromRole = <A>(f: (measurements: ReadonlyArray<Measurement>, label: string) => A) =>
    Object.fromEntries([...byRole].map(([role, { label, measurements }]) => [role, f(measurements, label)]))
  const [ours, peer, bare, limit] = [medianOf("ours"), medianOf("peer"), medianOf("bare"), medianOf("limit")]
  return {
    name: benchmark.name,
    unit: benchmark.unit,
    better: benchmark.better,
    ours,
    peer,
    bare,
    limit,
    ratioToPeer: ratio(ours, peer),
    ratioToBare: ratio(ours, bare),
    ratioToLimit: ratio(ours, limit),
    spread: fromRole((measurements) => spread(measurements.map(({ value }) => value))),
    details: fromRole(detailsOf),
    labels: fromRole((_, label) => label),
    skipped
  }
}

const ratio = (a: number | null, b: number | null): number | null => (a === null || b === null ? null : a / b)

const detailsOf = (measurements: ReadonlyArray<Measurement>): Record<string, number> => {
  const names = Object.keys(measurements[0] ?? {}).filter((name) => name !== "value")
  return Object.fromEntries(names.map((name) => [name, median(measurements.map((it) => it[name]!))]))
}
