import { parseArgs } from "node:util"
import { storages } from "./storages/index.ts"

/** What the command line asks for. */
export interface Flags {
  readonly storage: keyof typeof storages
  readonly seconds: number
  readonly seed: number
  readonly devices: number
  readonly servers: number
  readonly isTransactional: boolean
  /** Seconds. */
  readonly patience: number
}

/** A flag or value that can't be used; the message says which. */
export class UsageError extends Error {}

/** Printed for `--help`, and together with every `UsageError`. */
export const usage = `Usage: npm run torture -- [flags]

  --storage ${Object.keys(storages).join("|")}    what the servers store in (default memory)
  --seconds N    how long things are broken (default 60)
  --seed N       which faults there are, and when (default: another one each time)
  --devices N    devices that keep to the rules; a tenth as many don't (default 20)
  --servers N    servers that share the storage (default 2; memory has one)
  --patience N   seconds that everything may take to come to rest (default 120)
  --no-transactions    handlers don't share the cursor's transaction, where they could
  --help         prints this`

/** Reads the arguments after the script's name; `"help"` when `--help` is among them. */
export const readFlags = (args: ReadonlyArray<string>): Flags | "help" => {
  const values = parse(args)
  if (values.help) return "help"
  return {
    storage: storageOf(values.storage),
    seconds: count("--seconds", values.seconds, 1),
    seed: values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : count("--seed", values.seed, 0),
    devices: count("--devices", values.devices, 1),
    servers: count("--servers", values.servers, 1),
    patience: count("--patience", values.patience, 1),
    isTransactional: !values["no-transactions"]
  }
}

const parse = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        storage: { type: "string", default: "memory" },
        seconds: { type: "string", default: "60" },
        seed: { type: "string" },
        devices: { type: "string", default: "20" },
        servers: { type: "string", default: "2" },
        patience: { type: "string", default: "120" },
        "no-transactions": { type: "boolean", default: false },
        help: { type: "boolean", default: false }
      }
    }).values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

const storageOf = (name: string): keyof typeof storages => {
  if (!Object.hasOwn(storages, name)) throw new UsageError(`--storage must be ${Object.keys(storages).join("|")}`)
  return name as keyof typeof storages
}

const count = (flag: string, value: string, least: number): number => {
  if (!/^\d{1,9}$/.test(value) || Number(value) < least)
    throw new UsageError(`${flag} must be a number from ${least} on`)
  return Number(value)
}
