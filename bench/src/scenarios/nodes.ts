import type { Benchmark, Measurement } from "../benchmark.ts"
import { startOurs } from "../contenders/ours.ts"
import { storages } from "../contenders/storages.ts"
import { runLoad } from "../loads.ts"
import type { Scenario, Settings } from "./scenario.ts"

/** Both halves of one measurement: how late a reader gets what was written on another node, and on its own. */
interface Halves {
  readonly another: Measurement
  readonly same: Measurement
}

const halfOf = (measured: Measurement, prefix: string): Measurement => {
  const own = Object.entries(measured).filter(([name]) => name.startsWith(prefix))
  const latencies = Object.fromEntries(own.map(([name, figure]) => [name.slice(prefix.length), figure]))
  return { value: latencies["p50 ms"]!, ...latencies }
}

const measureBoth = async ({ ours }: Settings, seconds: number): Promise<Halves> => {
  const database = await storages.postgres()
  const options = { ...ours, storage: database.flags, stores: 2 }
  try {
    const first = await startOurs(options)
    const second = await startOurs(options)
    try {
      const nodes = [first.url, second.url] as const
      const measured = await runLoad({ kind: "deliver", protocol: "ours", nodes, seconds }, {})
      return { another: halfOf(measured, "another "), same: halfOf(measured, "same ") }
    } finally {
      await Promise.all([first.stop(), second.stop()])
    }
  } finally {
    await database.close()
  }
}

const makeBenchmark = (settings: Settings): Benchmark => {
  let same: Measurement | undefined
  return {
    name: "nodes/postgres/delivery",
    unit: "ms (p50)",
    better: "less",
    rounds: 3,
    contenders: [
      {
        role: "ours",
        label: "reader on another node than the writer",
        measure: async () => {
          const both = await measureBoth(settings, settings.seconds ?? 5)
          same = both.same
          return both.another
        }
      },
      {
        role: "limit",
        label: "reader on the writer's node",
        // Measured in the same run, write by write.
        measure: async () => {
          if (same === undefined) throw new Error("not measured")
          return same
        }
      }
    ]
  }
}

/** Two nodes on one database: how late a reader gets what is written on the other node, beside what is on its own. */
export const nodes: Scenario = (settings) => (settings.quick ? [] : [makeBenchmark(settings)])
