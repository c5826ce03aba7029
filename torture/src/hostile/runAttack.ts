import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { storages } from "../storages/index.ts"
import type { HonestReport } from "./honest/settings.ts"
import type { Child } from "./processes/Child.ts"
import { type Attack, type Findings, type Scene, startHonest, startServer } from "./scene.ts"
import type { Adapter, Measured, ServerCommands } from "./server/settings.ts"

/** What became of an attack. */
export interface Outcome {
  readonly attack: string
  readonly adapter: Adapter
  readonly findings: Findings
  /** `undefined` when the server did not live to tell. */
  readonly measured: Measured | undefined
  /** `undefined` without honest devices. */
  readonly honest: HonestReport | undefined
  /** Milliseconds that the server took to stop. */
  readonly stopMillis: number
}

/** Milliseconds in which honest devices warm the server up. */
const warmUp = 1_500
/** Milliseconds that an attack may take beyond what it was given: whatever a server does, a run ends. */
const patience = 180_000

const honestOf = async (url: string, devices: number) =>
  devices === 0 ? undefined : startHonest({ url, devices, devicesPerStore: 2, writesPerSecond: 5, from: "127.0.0.1" })

/** Makes an attack on a server whose storage is there. */
const attackAt = async (attack: Attack, adapter: Adapter, seconds: number, address: string): Promise<Outcome> => {
  const start = () => startServer({ adapter, address, settings: attack.settings })
  const { server, url } = await start()
  const siblings: Array<Child<ServerCommands>> = []
  const cuts: Array<() => void> = []
  const keep: Scene["keep"] = (peer) => {
    cuts.push(() => peer.socket.cut())
    return peer
  }
  const startSibling: Scene["startSibling"] = async () => {
    const sibling = await start()
    siblings.push(sibling.server)
    return sibling
  }
  const scene = { adapter, url, server, seconds, keep, startSibling }
  const honest = await honestOf(url, attack.honestDevices ?? 4)
  await attack.prepare?.(scene)
  await sleep(warmUp)
  await honest?.call("report")
  await server.call("begin")
  const died = server.died.then((why): Findings => ({ died: why.split("\n")[0]! }))
  const gaveUp = sleep<Findings>(seconds * 1_000 + patience, { "gave up": "yes" }, { ref: false })
  const findings = await Promise.race([attack.run(scene), died, gaveUp])
  const measured = await server.call("measure").catch(() => undefined)
  const report = await honest?.call("report")
  for (const cut of cuts) cut()
  await honest?.stop()
  await Promise.all(siblings.map((sibling) => sibling.stop()))
  return { attack: attack.name, adapter, findings, measured, honest: report, stopMillis: await server.stop() }
}

/** Makes one attack on a server and a storage of its own. */
export const runAttack = async (attack: Attack, adapter: Adapter, seconds: number): Promise<Outcome> => {
  const folder = mkdtempSync(join(tmpdir(), "eventlog-hostile-"))
  const storage = await storages[attack.settings?.storage ?? "memory"](folder)
  try {
    return await attackAt(attack, adapter, seconds, storage.address)
  } finally {
    await storage.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
