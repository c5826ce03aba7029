import { setTimeout as sleep } from "node:timers/promises"
import type { EventJournal } from "effect/eventlog"
import { idOf } from "../../seen.ts"
import type { Device } from "../peers/device.ts"
import { factOf } from "../peers/entries.ts"
import type { Latencies } from "./Latencies.ts"

/** Milliseconds until a device connects or sends again, at least and at most. */
const [soonest, latest] = [200, 1_000]
const soon = (): Promise<void> => sleep(soonest + Math.random() * (latest - soonest))

/** What all devices of a run count together. */
export interface Tally {
  readonly latencies: Latencies
  readonly closes: Record<string, number>
  refusals: number
}

interface Waiting {
  readonly entry: EventJournal.Entry
  readonly at: number
}

/** A device that keeps to the rules: it writes, follows its store, and comes back and sends again when it was cut off. */
export class HonestDevice {
  readonly store: string
  readonly acked: Array<string> = []
  readonly waiting = new Map<string, Waiting>()
  isOnline = false
  readonly #publicKey: string
  readonly #open: () => Device
  readonly #tally: Tally
  #device: Device | undefined
  #count = 0

  constructor(publicKey: string, open: () => Device, tally: Tally) {
    this.store = publicKey.split("/")[0]!
    this.#publicKey = publicKey
    this.#open = open
    this.#tally = tally
  }

  /** Connects, again and again, for as long as the process lives. Resolves when it is connected for the first time. */
  connect(): Promise<void> {
    return new Promise((resolve) => void this.#live(resolve))
  }

  /** Makes an entry and sends it, now or as soon as it can. */
  write(): void {
    const entry = factOf("Added", `key ${this.#count % 50}`, `${this.#publicKey} ${this.#count++}`)
    this.waiting.set(idOf(entry.id), { entry, at: performance.now() })
    if (this.isOnline && this.#device !== undefined) this.#send(this.#device, entry)
  }

  async #live(onFirst: () => void): Promise<void> {
    for (;;) {
      const device = this.#open()
      this.#device = device
      device
        .prove(this.#publicKey)
        .then(() => this.#begin(device))
        .then(onFirst)
        // The connection ends, or is of no use.
        .catch(() => device.socket.cut())
      const { code } = await device.socket.closed
      this.#tally.closes[code] = (this.#tally.closes[code] ?? 0) + 1
      this.isOnline = false
      await soon()
    }
  }

  #begin(device: Device): void {
    void device.subscribe(this.#publicKey, () => {})
    this.isOnline = true
    for (const { entry } of this.waiting.values()) this.#send(device, entry)
  }

  #send(device: Device, entry: EventJournal.Entry): void {
    const id = idOf(entry.id)
    device.write(this.#publicKey, [entry]).then(
      () => this.#settle(id),
      async () => {
        if (!device.socket.isOpen) return
        this.#tally.refusals++
        await soon()
        this.#send(device, entry)
      }
    )
  }

  #settle(id: string): void {
    const waiting = this.waiting.get(id)
    if (waiting === undefined) return
    this.waiting.delete(id)
    this.acked.push(id)
    this.#tally.latencies.record(performance.now() - waiting.at)
  }
}
