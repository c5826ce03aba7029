import { setTimeout as sleep } from "node:timers/promises"
import { EventLogPeer } from "../peers/EventLogPeer.ts"
import { RpcPeer } from "../peers/RpcPeer.ts"
import { readSettings, serveCommands } from "../processes/serveCommands.ts"
import { HonestDevice, type Tally } from "./HonestDevice.ts"
import { Latencies } from "./Latencies.ts"
import type { HonestCommands, HonestLedger, HonestReport, HonestSettings } from "./settings.ts"

/** The honest devices of a run, in a process of their own. */

const { devices: count, devicesPerStore, from, url, writesPerSecond } = readSettings<HonestSettings>()
const tally: Tally = { latencies: new Latencies(), closes: {}, refusals: 0 }

const devices = Array.from({ length: count }, (_, index) => {
  const Peer = index % 2 === 0 ? EventLogPeer : RpcPeer
  const publicKey = `honest-${Math.floor(index / devicesPerStore)}/${index}`
  return new HonestDevice(publicKey, () => new Peer(url, { from }), tally)
})

const period = 1_000 / writesPerSecond
let writing = true

const write = async (device: HonestDevice): Promise<void> => {
  await sleep(Math.random() * period)
  while (writing) {
    device.write()
    await sleep(period * (0.8 + Math.random() * 0.4))
  }
}

const oldest = (): number => {
  const now = performance.now()
  return Math.max(0, ...devices.flatMap(({ waiting }) => Array.from(waiting.values(), ({ at }) => now - at)))
}

const report = async (): Promise<HonestReport> => {
  const { closes, latencies, refusals } = tally
  const seen = {
    acks: latencies.count,
    p50: latencies.percentile(0.5),
    p99: latencies.percentile(0.99),
    p999: latencies.percentile(0.999),
    max: Math.max(latencies.percentile(1), oldest()),
    closes: { ...closes },
    refusals,
    offline: devices.filter(({ isOnline }) => !isOnline).length
  }
  latencies.clear()
  for (const code of Object.keys(closes)) delete closes[code]
  tally.refusals = 0
  return seen
}

const finish = async (patience: number): Promise<HonestLedger> => {
  writing = false
  const until = performance.now() + patience
  const unacked = () => devices.reduce((sum, { waiting }) => sum + waiting.size, 0)
  while (unacked() > 0 && performance.now() < until) await sleep(50)
  const acked: Record<string, Array<string>> = {}
  for (const device of devices) acked[device.store] = [...(acked[device.store] ?? []), ...device.acked]
  return { acked, unacked: unacked() }
}

// One after the other: that all come at once is another test.
for (const device of devices) await device.connect()
for (const device of devices) void write(device)
serveCommands<HonestCommands>({ report, finish })
