import { parseArgs } from "node:util"
import type { Role } from "./benchmark.ts"
import { builtServer } from "./contenders/ours.ts"

/** What the command line asks for. */
export interface Flags {
  readonly quick: boolean
  readonly json: boolean
  /** How long a case is measured. `undefined`: as long as the case wants. */
  readonly seconds: number | undefined
  /** How often each contender runs. `undefined`: as often as the case wants. */
  readonly rounds: number | undefined
  /** Beginnings of names; empty for everything. */
  readonly only: ReadonlyArray<string>
  /** Only says which names there are. */
  readonly list: boolean
  /** An SVG file to draw the results to. */
  readonly plot: string | undefined
  /** Who is measured besides ours. */
  readonly beside: ReadonlyArray<Role>
  readonly server: string
  readonly profile: string | undefined
}

/** Whom ours may be measured beside. */
const others = ["peer", "bare", "limit"] as const satisfies ReadonlyArray<Role>

/** Printed for `--help`, and when a flag can't be used. */
export const usage = `Usage: npm run bench -- [flags]

What is measured
  --list           says which names there are, and measures nothing
  --only NAME      only this, or what it is the beginning of: ingest/postgres/64x1, ingest, fanout/100; repeatable.
                   One that nothing begins with ends the program, whatever others there are. What takes many minutes
                   runs only by its whole name: history/postgres/compacted-ten-million
  --beside ROLE    ours beside these only: peer (effect's own server), bare (a bare websocket server with the least that
                   a write to PostgreSQL needs), limit (the least that anybody could do); repeatable. "nobody": ours alone
  --quick          a few small cases, within two minutes
  --server FILE    another build of examples/server to measure, such as that of another checkout

How
  --seconds N      measures each case this long, after a warm-up until its rate is steady: six seconds of it at most,
                   and no more than 2 N; a slow case with a small N is measured cold
  --rounds N       lets each contender run so often, in turns; a case wants one or three rounds

What it tells
  --json           prints one JSON object instead of tables (npm run -s bench -- --json)
  --plot FILE      draws the ratios and latencies to an SVG file, too
  --profile DIR    writes CPU profiles of our server there
  --help           prints this`

/** Reads the arguments after the script's name; `"help"` when `--help` is among them. Throws when one can't be used. */
export const readFlags = (args: ReadonlyArray<string>): Flags | "help" => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      seconds: { type: "string" },
      rounds: { type: "string" },
      json: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      beside: { type: "string", multiple: true, default: [...others] },
      list: { type: "boolean", default: false },
      plot: { type: "string" },
      server: { type: "string", default: builtServer },
      profile: { type: "string" },
      help: { type: "boolean", default: false }
    }
  })
  const { beside, help, rounds, seconds, ...flags } = values
  if (help) return "help"
  return {
    plot: undefined,
    profile: undefined,
    ...flags,
    beside: readRoles(beside),
    seconds: readSeconds(seconds),
    rounds: readRounds(rounds)
  }
}

const readRoles = (values: ReadonlyArray<string>): ReadonlyArray<Role> => {
  const unknown = values.find((value) => value !== "nobody" && !others.some((role) => role === value))
  if (unknown !== undefined) throw new Error(`--beside must be ${others.join(", ")} or nobody, not "${unknown}"`)
  return others.filter((role) => values.includes(role))
}

const readSeconds = (value: string | undefined): number | undefined => {
  if (value === undefined) return undefined
  const seconds = Number(value)
  if (!(seconds > 0)) throw new Error(`--seconds must be a number above 0, not "${value}"`)
  return seconds
}

const readRounds = (value: string | undefined): number | undefined => {
  if (value === undefined) return undefined
  const rounds = Number(value)
  if (!(Number.isInteger(rounds) && rounds > 0)) throw new Error(`--rounds must be 1 or more, not "${value}"`)
  return rounds
}
