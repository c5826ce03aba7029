import { parseArgs } from "node:util"
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
  readonly server: string
  readonly profile: string | undefined
}

/** Printed for `--help`, and when a flag can't be used. */
export const usage = `Usage: npm run bench -- [flags]

  --quick          a few small cases, within two minutes
  --seconds N      measures each case this long
  --rounds N       lets each contender run so often; a case wants one or three rounds
  --only NAME      only this, or what it is the beginning of: ingest/postgres/64x1, ingest, fanout/100; repeatable
  --json           prints one JSON object instead of tables (npm run -s bench -- --json)
  --server FILE    another build of examples/server to measure, such as that of another checkout
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
      server: { type: "string", default: builtServer },
      profile: { type: "string" },
      help: { type: "boolean", default: false }
    }
  })
  const { help, rounds, seconds, ...flags } = values
  if (help) return "help"
  return { profile: undefined, ...flags, seconds: readSeconds(seconds), rounds: readRounds(rounds) }
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
