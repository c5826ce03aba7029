import { freePort } from "@eventlog-server/testkit/network"
import type { storages } from "../storages/index.ts"
import type { HonestCommands, HonestSettings } from "./honest/settings.ts"
import type { Device } from "./peers/device.ts"
import { Child } from "./processes/Child.ts"
import type { Adapter, ServerCommands, ServerSettings } from "./server/settings.ts"

/** What an attack finds out, to be shown as it is. */
export type Findings = Readonly<Record<string, string | number>>

/** Settings of the server under attack that an attack may want otherwise. */
export type SettingsOfAttack = Partial<Omit<ServerSettings, "adapter" | "port" | "address">> & {
  /** @default "memory" */
  readonly storage?: keyof typeof storages | undefined
}

/** What an attack acts on. */
export interface Scene {
  readonly adapter: Adapter
  /** Where the server is mounted; effect's RPC is at `<url>/rpc`. */
  readonly url: string
  readonly server: Child<ServerCommands>
  /** How long what has no end of its own goes on. */
  readonly seconds: number
  /** Has a connection cut when the attack was measured. */
  readonly keep: <Peer extends Device>(peer: Peer) => Peer
  /** Starts another server on the same storage, ended with the first one. */
  readonly startSibling: () => Promise<{ readonly url: string; readonly server: Child<ServerCommands> }>
}

/** Something that is done to a server. */
export interface Attack {
  readonly name: string
  /** What it does, in a line. */
  readonly about: string
  readonly settings?: SettingsOfAttack | undefined
  /** Honest devices beside it. @default 4 */
  readonly honestDevices?: number | undefined
  /** What has to be there before anything is measured. */
  readonly prepare?: ((scene: Scene) => Promise<void>) | undefined
  /** Attacks. What it keeps stays open until the server was measured. */
  readonly run: (scene: Scene) => Promise<Findings>
}

const defaults = { limits: {}, appendDelay: 0 }

/** How a server under attack is started. */
export interface StartOptions {
  readonly adapter: Adapter
  readonly settings?: SettingsOfAttack | undefined
  /** Where its storage is. @default nowhere, which is right for memory */
  readonly address?: string | undefined
  /** Flags for node. */
  readonly nodeArgs?: ReadonlyArray<string> | undefined
}

/** Starts a server under attack. */
export const startServer = async ({ adapter, address = "", nodeArgs = [], settings = {} }: StartOptions) => {
  const port = await freePort()
  const server = await Child.start<ServerCommands>({
    script: "hostileServer.js",
    settings: { ...defaults, ...settings, storage: settings.storage ?? "memory", address, adapter, port },
    nodeArgs: ["--expose-gc", ...nodeArgs]
  })
  return { url: `ws://127.0.0.1:${port}/eventlog`, server }
}

/** Starts honest devices and waits until they are connected. */
export const startHonest = (settings: HonestSettings): Promise<Child<HonestCommands>> =>
  Child.start<HonestCommands>({ script: "hostileHonest.js", settings })
