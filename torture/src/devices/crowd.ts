import type { Fleet } from "../fleet.ts"
import type { FinalDevice, StoredEntry } from "../oracle/history.ts"
import type { Random } from "../random.ts"
import type { Recorder } from "../recorder.ts"
import { encodePayload } from "../schema.ts"
import { digestOf } from "../seen.ts"
import { Device, type DeviceEvent } from "./device.ts"
import { installEffectApp } from "./effectApp.ts"
import { installEventLogApp } from "./eventLogApp.ts"
import { Hostile } from "./hostile.ts"

/** What a crowd is made of. */
export interface CrowdOptions {
  readonly fleet: Fleet
  readonly recorder: Recorder
  readonly random: Random
  /** How many devices keep to the rules; a tenth as many don't. */
  readonly size: number
}

const devicesPerStore = 5
/** Every third device runs on effect's own client. */
const apps = [installEventLogApp, installEventLogApp, installEffectApp]
const hour = 3_600_000
/** How far clocks of devices are off: never so far ahead that a server which is behind would refuse their ids. */
const clockOffsets = [0, 0, 0, -5 * hour, 3 * hour]
/** Milliseconds between two writes of a device, on average. */
const meanPause = 700

const events: ReadonlyArray<DeviceEvent> = [
  "Added",
  "Changed",
  "Changed",
  "Noted",
  "Noted",
  "Noted",
  "Failed",
  "Whispered"
]

const pause = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

/** The devices of a run, and the administrators of their stores. */
export class Crowd {
  readonly stores: ReadonlyArray<string>
  private readonly options: CrowdOptions
  private readonly devices: ReadonlyArray<Device>
  private readonly hostile: ReadonlyArray<Hostile>
  private readonly busy = new Set<Device>()
  private readonly work = new Set<Promise<unknown>>()
  private readonly born = performance.now()
  private texts = 0

  private constructor(options: CrowdOptions, devices: ReadonlyArray<Device>, hostile: ReadonlyArray<Hostile>) {
    this.options = options
    this.devices = devices
    this.hostile = hostile
    this.stores = Array.from(new Set(devices.map(({ store }) => store)))
  }

  static async make(options: CrowdOptions): Promise<Crowd> {
    const { fleet, random, recorder, size } = options
    const url = (path: string): string => `ws://127.0.0.1:${fleet.proxy(random.upTo(fleet.size - 1)).port}${path}`
    const devices = await Promise.all(
      Array.from({ length: size }, (_, index) => {
        const store = `store ${Math.floor(index / devicesPerStore) + 1}`
        // Every other device is mapped beforehand; the others say where they belong when they first come.
        const query = index % 2 === 0 ? "" : `?store=${encodeURIComponent(store)}`
        return Device.make({
          name: `device ${index + 1}`,
          store,
          install: apps[index % apps.length]!,
          clockOffset: clockOffsets[index % clockOffsets.length]!,
          recorder,
          url: (path) => url(`${path}${query}`)
        })
      })
    )
    const hostile = await Promise.all(
      Array.from({ length: Math.max(1, Math.round(size / 10)) }, (_, index) =>
        Hostile.make({
          name: `hostile ${index + 1}`,
          recorder,
          random,
          url: () => url("/"),
          victim: () => random.pick(devices).publicKey
        })
      )
    )
    return new Crowd(options, devices, hostile)
  }

  /** Maps every other device, and opens the apps. */
  async start(): Promise<void> {
    await Promise.all(this.devices.filter((_, index) => index % 2 === 0).map((device) => this.assign(device)))
    await Promise.all(this.devices.map((device) => device.open()))
  }

  /** Has every device write until the time is up. */
  async live(until: number): Promise<void> {
    await Promise.all(this.devices.map((device) => this.liveOn(device, until)))
  }

  /** Closes an app, and opens it again after a while. */
  restart(index: number, offMillis: number): boolean {
    return this.change(index, async (device) => {
      this.note(`${device.name} goes offline`)
      await device.close()
      await pause(offMillis)
      await device.open()
    })
  }

  /** Takes a device's store away from it for a while. */
  remove(index: number, millis: number): boolean {
    return this.change(index, async (device) => {
      this.note(`${device.name} is removed`)
      await this.options.fleet.server(index)?.call("remove", device.publicKey)
      await pause(millis)
      await this.assign(device)
    })
  }

  /** Throws a device off the server. */
  async disconnect(index: number): Promise<boolean> {
    const device = this.devices[index % this.devices.length]!
    this.note(`${device.name} is disconnected`)
    return (
      this.options.fleet
        .server(index)
        ?.call("disconnect", device.publicKey)
        .then(
          () => true,
          () => false
        ) ?? false
    )
  }

  /** Has a server write an event of its own. */
  async serverWrite(index: number, transportOnly: boolean): Promise<boolean> {
    const { fleet, random, recorder } = this.options
    const server = fleet.server(index)
    if (server === undefined) return false
    const store = random.pick(this.stores)
    const payload = { key: this.key(), text: this.text() }
    const digest = digestOf(encodePayload(payload))
    recorder.record({ kind: "ordered", store, digest, transportOnly })
    const sequence = await server
      .call("write", { storeId: store, ...payload, runHandlers: !transportOnly })
      .catch(() => undefined)
    if (sequence !== undefined) recorder.record({ kind: "authored", store, digest, sequence })
    return true
  }

  /** Has a hostile device attack. */
  async attack(index: number): Promise<boolean> {
    const hostile = this.hostile[index % this.hostile.length]!
    this.note(`${hostile.name} attacks`)
    await hostile.attack()
    return true
  }

  /** Opens all apps, gives every device its store back, and waits until that is done. */
  async settle(): Promise<void> {
    while (this.work.size > 0) await Promise.all(this.work)
    await Promise.all(this.devices.map((device) => this.assign(device)))
    await Promise.all(this.devices.map((device) => device.open()))
  }

  /**
   * The devices that have not sent and received everything. What an app that was just opened has to send only its journal
   * knows for a moment, so what was made is looked for in the feeds.
   */
  async unsynced(feeds: ReadonlyMap<string, ReadonlyArray<StoredEntry>>): Promise<ReadonlyArray<Device>> {
    const stored = new Set(Array.from(feeds.values()).flatMap((feed) => feed.map(({ entry }) => entry.id)))
    const sending = new Set(
      this.options.recorder.history.flatMap((happening) =>
        happening.kind === "made" && !stored.has(happening.entry.id) ? [happening.device] : []
      )
    )
    const isSynced = await Promise.all(
      this.devices.map(
        async (device) => !sending.has(device.name) && (await device.isSynced(feeds.get(device.store)?.length ?? 0))
      )
    )
    return this.devices.filter((_, index) => !isSynced[index])
  }

  /** Has those who wait look for the server at once. */
  async wake(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.wake()))
  }

  async finals(): Promise<ReadonlyArray<FinalDevice>> {
    return [
      ...(await Promise.all(this.devices.map((device) => device.final()))),
      ...this.hostile.map((it) => it.final())
    ]
  }

  async close(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.close()))
  }

  private async liveOn(device: Device, until: number): Promise<void> {
    const { random } = this.options
    while (performance.now() < until) {
      await pause(random.next() * 2 * meanPause)
      const count = random.chance(0.05) ? 60 : 1 + random.upTo(3)
      const event = random.chance(0.004) ? "Hung" : random.pick(events)
      const isBig = random.chance(0.004)
      const texts = Array.from({ length: isBig || event === "Hung" ? 1 : count }, () => this.text(isBig ? 700_000 : 0))
      // Big ones have keys of their own: of conflicts, handlers are given so many bytes only.
      await device.write(event, isBig ? `big ${this.texts}` : this.key(), texts)
    }
  }

  /**
   * One of ten keys that everybody writes to for a minute. effect's journal looks through all entries of a key for each one
   * that comes late: with ten keys for ever the devices, not the servers, would be what a long run waits for.
   */
  private key(): string {
    const minute = Math.floor((performance.now() - this.born) / 60_000)
    return `key ${this.options.random.upTo(9)} of minute ${minute}`
  }

  private text(length = 0): string {
    return `text ${++this.texts}`.padEnd(length, ".")
  }

  private note(what: string): void {
    this.options.recorder.record({ kind: "fault", what, excuses: false })
  }

  private async assign({ publicKey, store }: Device): Promise<void> {
    for (let index = 0; ; index++) {
      const server = this.options.fleet.server(index)
      const isDone = await server?.call("assign", { publicKey, storeId: store }).then(
        () => true,
        () => false
      )
      if (isDone === true) return
      await pause(50)
    }
  }

  private change(index: number, work: (device: Device) => Promise<void>): boolean {
    const device = this.devices[index % this.devices.length]!
    if (this.busy.has(device)) return false
    this.busy.add(device)
    const done = work(device)
      .catch(() => {})
      .finally(() => {
        this.busy.delete(device)
        this.work.delete(done)
      })
    this.work.add(done)
    return true
  }
}
