import { setTimeout as sleep } from "node:timers/promises"
import type { HonestCommands, HonestLedger, HonestReport } from "../honest/settings.ts"
import { Child } from "../processes/Child.ts"
import { startHonest, startServer } from "../scene.ts"
import type { Adapter, Measured, ServerCommands } from "../server/settings.ts"
import type { BesiegerCommands, BesiegerReport, BesiegerSettings } from "./settings.ts"

/** What a siege is like. */
export interface SiegeOptions {
  readonly adapter: Adapter
  readonly hostile: number
  readonly honest: number
  /** Names of the kinds of hostile peers. */
  readonly kinds: ReadonlyArray<string>
  /** Of the phase without hostile peers, and of the one with them. */
  readonly seconds: number
}

/** What became of acked entries. */
export interface Losses {
  readonly acked: number
  /** Acked, and not in their store. */
  readonly lost: number
  /** More than once in their store. */
  readonly repeated: number
  /** Sent, and never acked. */
  readonly unacked: number
}

/** What became of a siege. */
export interface SiegeOutcome extends SiegeOptions {
  readonly baseline: HonestReport
  readonly siege: HonestReport
  readonly hostilePeers: ReadonlyArray<BesiegerReport>
  /** `undefined` when the server did not live to tell. */
  readonly measured: Measured | undefined
  /** `undefined` when the server did not live to tell. */
  readonly losses: Losses | undefined
  /** Why the server ended, if it did. */
  readonly died: string | undefined
  /** Milliseconds that the server took to stop. */
  readonly stopMillis: number
}

/** MiB of heap that the server may have. */
const heapOfServer = 512
const besiegerProcesses = 2
/** Milliseconds in which hostile peers come, at most. */
const longestRamp = 30_000
/** Milliseconds in which honest devices get the server warm. */
const warmUp = 5_000
/** Milliseconds in which what was sent has to be acked at the end. */
const patience = 60_000

const startBesiegers = (
  { hostile, kinds, seconds }: SiegeOptions,
  url: string
): Promise<Array<Child<BesiegerCommands>>> =>
  Promise.all(
    Array.from({ length: besiegerProcesses }, (_, process) =>
      Child.start<BesiegerCommands>({
        script: "hostileBesiegers.js",
        settings: {
          url,
          process,
          kinds,
          connections: Math.ceil(hostile / besiegerProcesses),
          ramp: Math.min(longestRamp, seconds * 500)
        } satisfies BesiegerSettings
      })
    )
  )

const lossesOf = async (server: Child<ServerCommands>, { acked, unacked }: HonestLedger): Promise<Losses> => {
  const losses = { acked: 0, lost: 0, repeated: 0, unacked }
  for (const [store, ids] of Object.entries(acked)) {
    const stored = new Map<string, number>()
    for (const id of await server.call("ids", store)) stored.set(id, (stored.get(id) ?? 0) + 1)
    losses.acked += ids.length
    losses.lost += ids.filter((id) => !stored.has(id)).length
    losses.repeated += ids.filter((id) => (stored.get(id) ?? 0) > 1).length
  }
  return losses
}

/** Both phases. Honest devices go on all the time. */
const runPhases = async (options: SiegeOptions, url: string, server: Child<ServerCommands>) => {
  const { honest: devices, seconds } = options
  const honest: Child<HonestCommands> = await startHonest({
    url,
    devices,
    devicesPerStore: 4,
    writesPerSecond: 1,
    from: "127.0.0.2"
  })
  await sleep(warmUp)
  await honest.call("report")
  await sleep(seconds * 1_000)
  const baseline = await honest.call("report")
  await server.call("begin")
  const besiegers = await startBesiegers(options, url)
  await Promise.race([sleep(seconds * 1_000), server.ended])
  const siege = await honest.call("report")
  const hostilePeers = await Promise.all(besiegers.map((besieger) => besieger.call("report")))
  const measured = await server.call("measure").catch(() => undefined)
  const ledger = await honest.call("finish", server.isAlive ? patience : 0)
  const losses = await lossesOf(server, ledger).catch(() => undefined)
  await Promise.all([honest, ...besiegers].map((child) => child.stop()))
  return { baseline, siege, hostilePeers, measured, losses }
}

/** Besieges a small server, and tells what its honest devices saw before and meanwhile. */
export const runSiege = async (options: SiegeOptions): Promise<SiegeOutcome> => {
  const { server, url } = await startServer({
    adapter: options.adapter,
    nodeArgs: [`--max-old-space-size=${heapOfServer}`]
  })
  let died: string | undefined
  void server.died.then((why) => {
    died = why
  })
  const gaveUp = sleep(2 * options.seconds * 1_000 + 4 * patience, undefined, { ref: false }).then(() => {
    throw new Error("The siege came to no end")
  })
  const phases = await Promise.race([runPhases(options, url, server), gaveUp])
  const why = died
  return { ...options, ...phases, died: why, stopMillis: await server.stop() }
}
