import { parseArgs } from "node:util"
import { attacks } from "./attacks/index.ts"
import type { Attack } from "./scene.ts"
import type { Adapter } from "./server/settings.ts"
import { assaults } from "./siege/assaults.ts"

/** What the command line asks for. */
export interface Flags {
  readonly attacks: ReadonlyArray<Attack>
  readonly siege: boolean
  readonly adapters: ReadonlyArray<Adapter>
  readonly seconds: number
  /** Of a siege. */
  readonly hostile: number
  /** Of a siege. */
  readonly honest: number
  /** Names of the kinds of hostile peers in a siege. */
  readonly kinds: ReadonlyArray<string>
}

/** A flag or value that can't be used; the message says which. */
export class UsageError extends Error {}

const adapterNames: ReadonlyArray<Adapter> = ["fastify", "hono"]

/** Printed for `--help`, and together with every `UsageError`. */
export const usage = `Usage: npm run hostile -- [flags]

  --attack NAME   one attack; can be given several times
  --all           every attack
  --siege         hostile connections of all kinds beside honest devices, against one small server
  --adapter ${adapterNames.join("|")}   where the server is mounted (default fastify; both with --all)
  --seconds N     how long what has no end of its own goes on (default 10; each phase of a siege 60)
  --hostile N     hostile connections of a siege (default 5000)
  --honest N      honest devices of a siege (default 200)
  --kind NAME     only this kind of hostile peers in a siege; can be given several times
  --help          prints this

Attacks:
${attacks.map(({ about, name }) => `  ${name.padEnd(24)}${about}`).join("\n")}

Kinds of hostile peers in a siege:
${assaults.map(({ name }) => `  ${name}`).join("\n")}`

/** Reads the arguments after the script's name; `"help"` when `--help` is among them. */
export const readFlags = (args: ReadonlyArray<string>): Flags | "help" => {
  const values = parse(args)
  if (values.help) return "help"
  if (!values.all && !values.siege && values.attack.length === 0) throw new UsageError("--attack, --all or --siege")
  return {
    attacks: values.all ? attacks : values.attack.map(attackOf),
    siege: values.siege,
    adapters: values.adapter === undefined ? (values.all ? adapterNames : ["fastify"]) : [adapterOf(values.adapter)],
    seconds: count("--seconds", values.seconds ?? (values.siege ? "60" : "10")),
    hostile: count("--hostile", values.hostile),
    honest: count("--honest", values.honest),
    kinds: values.kind === undefined ? assaults.map(({ name }) => name) : values.kind.map(kindOf)
  }
}

const parse = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        attack: { type: "string", multiple: true, default: [] },
        all: { type: "boolean", default: false },
        siege: { type: "boolean", default: false },
        adapter: { type: "string" },
        seconds: { type: "string" },
        hostile: { type: "string", default: "5000" },
        honest: { type: "string", default: "200" },
        kind: { type: "string", multiple: true },
        help: { type: "boolean", default: false }
      }
    }).values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

const attackOf = (name: string): Attack => {
  const attack = attacks.find((attack) => attack.name === name)
  if (attack === undefined) throw new UsageError(`There is no attack ${name}`)
  return attack
}

const kindOf = (name: string): string => {
  if (!assaults.some((assault) => assault.name === name)) throw new UsageError(`There is no kind ${name}`)
  return name
}

const adapterOf = (name: string): Adapter => {
  const adapter = adapterNames.find((adapter) => adapter === name)
  if (adapter === undefined) throw new UsageError(`--adapter must be ${adapterNames.join("|")}`)
  return adapter
}

const count = (flag: string, value: string): number => {
  if (!/^\d{1,6}$/.test(value) || Number(value) < 1) throw new UsageError(`${flag} must be a number from 1 on`)
  return Number(value)
}
