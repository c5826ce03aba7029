import { setTimeout as sleep } from "node:timers/promises"
import { Latencies } from "../honest/Latencies.ts"
import { EventLogPeer } from "../peers/EventLogPeer.ts"
import type { Attack, Findings, Scene } from "../scene.ts"

const hanging = 160
const removed = 50
const reauthorizeInterval = 1_000
const authTimeout = 2_000
/** Milliseconds after which a subscription that goes on counts as one that never ends. */
const patience = 60_000

const follow = async (peer: EventLogPeer, publicKey: string): Promise<{ readonly over: Promise<void> }> => {
  await peer.prove(publicKey)
  return { over: peer.subscribe(publicKey, () => {}) }
}

const run = async ({ keep, server, startSibling }: Scene): Promise<Findings> => {
  const other = await startSibling()
  for (let index = 0; index < hanging; index++) await follow(keep(new EventLogPeer(other.url)), `hang/${index}`)
  const victims = Array.from({ length: removed }, (_, index) => `victim-${index}/device`)
  const ends = await Promise.all(victims.map((key) => follow(keep(new EventLogPeer(other.url)), key)))
  await other.server.call("hangReads")
  await sleep(2 * reauthorizeInterval)
  const latencies = new Latencies()
  let live = 0
  const remove = async (key: string, { over }: (typeof ends)[0]): Promise<void> => {
    const from = performance.now()
    await server.call("remove", key)
    const isOver = await Promise.race([over.then(() => true), sleep(patience, false)])
    if (isOver) latencies.record(performance.now() - from)
    else live++
  }
  await Promise.all(victims.map((key, index) => sleep(index * 100).then(() => remove(key, ends[index]!))))
  const [p50, p99] = [0.5, 0.99].map((share) => Math.round(latencies.percentile(share)))
  return { "ended after ms p50": p50!, p99: p99!, "never ended": live }
}

/** Keys removed on one node, whose subscriptions are on another one that is kept busy with other keys. */
export const revoke: Attack = {
  name: "revoke",
  about: "50 keys removed on node A while auth.read of 160 connections on node B hangs for 2 s, on PostgreSQL",
  settings: { storage: "postgres", reauthorizeInterval, authTimeout },
  honestDevices: 0,
  run
}
