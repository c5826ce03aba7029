import { parseArgs } from "node:util"
import { adapters } from "./adapters.ts"
import type { StorageFlags, StorageKind } from "./storages/Storage.ts"
import { storages } from "./storages/storages.ts"

/** What the command line asks for. */
export interface Flags extends StorageFlags {
  readonly adapter: keyof typeof adapters
  readonly storage: keyof typeof storages
  readonly host: string
  /** 0 picks a free port. */
  readonly port: number
  readonly path: string
  readonly sessionAuth: "required" | "off"
  /** In milliseconds; `undefined` sends everything as it was written. */
  readonly compactOlderThan: number | undefined
  readonly map: ReadonlyArray<{ readonly publicKey: string; readonly storeId: string }>
}

/** A flag or value that can't be used; the message says which. */
export class UsageError extends Error {}

const oneOf = (names: object) => Object.keys(names).join("|")

const kinds: Readonly<Record<string, StorageKind>> = storages

const urls = Object.entries(kinds)
  .flatMap(([name, { url }]) => (url === undefined ? [] : `${url} (${name})`))
  .join(", ")

/** Printed for `--help`, and together with every `UsageError`. */
export const usage = `Usage: npm run serve -- [flags]

  --adapter ${oneOf(adapters)}         the web framework to run on (default fastify)
  --storage ${oneOf(storages)}
                                 where the feeds are kept (default memory)
  --url URL                      where the storage is: ${urls}
  --listen                       hear of other processes' writes by LISTEN/NOTIFY (postgres; without it: by looking)
  --host HOST                    the address to listen on (default 127.0.0.1)
  --port PORT                    default 9400; 0 picks a free one
  --path PATH                    where devices connect (default /eventlog)
  --session-auth required|off    whether a device must prove its key (default required)
  --map KEY=STORE                gives a public key its store; repeatable. The last "=" separates
  --compact-older-than MS        sends of older entries only the last of each event and todo
  --help                         prints this

The HTTP routes are for administrators and ask nobody for a password: keep them off public networks.`

/** Reads the arguments after the script's name; `"help"` when `--help` is among them. */
export const readFlags = (args: ReadonlyArray<string>): Flags | "help" => {
  const values = parse(args)
  if (values.help) return "help"
  const storage = choose("--storage", storages, values.storage)
  return {
    adapter: choose("--adapter", adapters, values.adapter),
    storage,
    url: readUrl(storage, values.url),
    listen: values.listen,
    host: values.host,
    port: readPort(values.port),
    path: readPath(values.path),
    sessionAuth: choose("--session-auth", { required: true, off: true }, values["session-auth"]),
    compactOlderThan: readAge(values["compact-older-than"]),
    map: values.map.map(readMapping)
  }
}

const parse = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        adapter: { type: "string", default: "fastify" },
        storage: { type: "string", default: "memory" },
        url: { type: "string" },
        listen: { type: "boolean", default: false },
        host: { type: "string", default: "127.0.0.1" },
        port: { type: "string", default: "9400" },
        path: { type: "string", default: "/eventlog" },
        "session-auth": { type: "string", default: "required" },
        map: { type: "string", multiple: true, default: [] },
        "compact-older-than": { type: "string" },
        help: { type: "boolean", default: false }
      }
    }).values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

const choose = <Choices extends object>(flag: string, choices: Choices, value: string): keyof Choices => {
  if (!Object.hasOwn(choices, value)) throw new UsageError(`${flag} must be ${oneOf(choices)}, not "${value}"`)
  return value as keyof Choices
}

const readUrl = (storage: keyof typeof storages, value: string | undefined): string => {
  const wanted = kinds[storage]?.url
  if (wanted === undefined && value !== undefined) throw new UsageError(`--storage ${storage} takes no --url`)
  if (wanted !== undefined && !value) throw new UsageError(`--storage ${storage} needs --url with ${wanted}`)
  return value ?? ""
}

const readPort = (value: string): number => {
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535) {
    throw new UsageError(`--port must be a number from 0 to 65535, not "${value}"`)
  }
  return Number(value)
}

const readPath = (value: string): string => {
  if (!/^(\/[\w.~-]+)+$/.test(value)) {
    throw new UsageError(`--path must be a path like /eventlog, not "${value}"`)
  }
  return value
}

// A public key may well end with "=", if it is base64.
const readMapping = (value: string) => {
  const separator = value.lastIndexOf("=")
  const mapping = { publicKey: value.slice(0, separator), storeId: value.slice(separator + 1) }
  if (separator < 1 || mapping.storeId === "") throw new UsageError(`--map must be KEY=STORE, not "${value}"`)
  return mapping
}

const readAge = (value: string | undefined): number | undefined => {
  if (value !== undefined && !/^\d{1,15}$/.test(value)) {
    throw new UsageError(`--compact-older-than must be a number of milliseconds, not "${value}"`)
  }
  return value === undefined ? undefined : Number(value)
}
