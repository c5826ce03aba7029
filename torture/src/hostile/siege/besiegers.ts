import { setPriority } from "node:os"
import { setTimeout as sleep } from "node:timers/promises"
import { readSettings, serveCommands } from "../processes/serveCommands.ts"
import { type Assault, assaults, type Life } from "./assaults.ts"
import type { BesiegerCommands, BesiegerSettings } from "./settings.ts"

/** Hostile peers, many in one process. */

// They would be on machines of their own: what they compute must not keep the server's from running.
setPriority(19)

const { connections, kinds, process: processNumber, ramp, url } = readSettings<BesiegerSettings>()

/** Milliseconds until a peer that was closed comes back, at least and at most. */
const [soonest, latest] = [10_000, 30_000]
/** Milliseconds after which a peer gives its connection up: one that never reads doesn't see that it was closed. */
const [shortest, longest] = [20_000, 40_000]
/** Addresses that the peers of a process share. */
const addresses = 100

const between = (least: number, most: number): number => least + Math.random() * (most - least)

/** Each kind as often as its weight says. */
const places = assaults
  .filter(({ name }) => kinds.includes(name))
  .flatMap((assault) => new Array<Assault>(assault.weight).fill(assault))
/** A prime, so that neighbours differ and all get their turn. */
const stride = 61
const kindOf = (index: number): Assault => places[(index * stride) % places.length]!

let open = 0
let attempts = 0
const closes: Record<string, number> = {}

/** Lives once. Resolves with whether the server ended it. */
const live = async (kind: Assault, life: Life): Promise<boolean> => {
  attempts++
  const peer = kind.open(life)
  void peer.socket.opened.then(
    () => open++,
    () => {}
  )
  kind.act(peer, life).catch(() => {})
  const ended = await Promise.race([peer.socket.closed, sleep(between(shortest, longest))])
  peer.socket.cut()
  await peer.socket.opened.then(
    () => open--,
    () => {}
  )
  if (ended === undefined) return false
  closes[ended.code] = (closes[ended.code] ?? 0) + 1
  return true
}

const besiege = async (index: number): Promise<never> => {
  await sleep((index / connections) * ramp)
  const kind = kindOf(index)
  const from = `127.0.${1 + processNumber}.${1 + (index % addresses)}`
  for (let count = 0; ; count++) {
    const key = `hostile-${processNumber}-${index}/${count}`
    if (await live(kind, { url, from, key })) await sleep(between(soonest, latest))
  }
}

for (let index = 0; index < connections; index++) void besiege(index)
serveCommands<BesiegerCommands>({ report: async () => ({ open, attempts, closes: { ...closes } }) })
