import { type Running, startServer } from "@eventlog-server/example-todo/testing"
import { freePort } from "@eventlog-server/testkit/network"
import { makeEntries } from "@eventlog-server/testkit/schema"
import { expect } from "vitest"
import { Device } from "./Device.ts"

/** Entries of one write. */
const batch = 10

/** Entries of some primary keys, of an event without a handler. */
const entries = () => makeEntries(batch, (index) => ({ event: "SomethingHappened", primaryKey: `key ${index % 7}` }))

/** Two server processes on one Redis, and devices of one store on both. */
export class Fleet {
  readonly devices: ReadonlyArray<Device>
  readonly #servers: Array<Running>
  readonly #script: URL
  readonly #flags: ReadonlyArray<string>

  private constructor(script: URL, flags: ReadonlyArray<string>, servers: Array<Running>, devices: number) {
    this.#script = script
    this.#flags = flags
    this.#servers = servers
    const urls = servers.map(({ url }) => url)
    this.devices = Array.from({ length: devices }, (_, index) => new Device("device", urls, index))
  }

  /** @param script the server's @param redis the url of Redis */
  static async start(script: URL, redis: string, devices: number): Promise<Fleet> {
    const flags = ["--storage", "redis", "--url", redis, "--session-auth", "off", "--map", "device=store"]
    const start = async () => startServer(script, [...flags, "--port", `${await freePort()}`])
    const servers = await Promise.all([start(), start()])
    return new Fleet(script, flags, servers, devices)
  }

  /** Has every device write, one batch after the other, until all of them have written `count` entries together. */
  async write(count: number): Promise<void> {
    let left = count
    await Promise.all(
      this.devices.map(async (device) => {
        while (left > 0) {
          left -= batch
          await device.write(entries())
        }
      })
    )
  }

  /** Kills a server in the middle of whatever it does, and starts it again at the same address. */
  async crash(which: number): Promise<void> {
    const { stop, url } = this.#servers[which]!
    await stop("SIGKILL")
    this.#servers[which] = await startServer(this.#script, [...this.#flags, "--port", new URL(url).port])
  }

  /** How many entries were acknowledged. */
  acked(): number {
    return this.devices.reduce((sum, { acked }) => sum + acked.size, 0)
  }

  /** Every device has every entry, once and in the same order, and each where it was acknowledged. */
  async expectComplete(): Promise<void> {
    const acked = this.acked()
    for (const device of this.devices) await device.until(() => device.isAcked && device.received.length >= acked)
    const feed = this.devices[0]!.received
    for (const device of this.devices) {
      expect(device.faults).toEqual([])
      expect(device.received).toEqual(feed)
      for (const [id, sequence] of device.acked) if (feed[sequence - 1] !== id) expect(feed[sequence - 1]).toBe(id)
    }
    expect(feed).toHaveLength(acked)
    expect(new Set(feed).size).toBe(acked)
  }

  /** Ends the devices and the servers; answers what the servers logged. */
  async stop(): Promise<string> {
    for (const device of this.devices) device.close()
    const ended = await Promise.all(this.#servers.map(({ stop }) => stop()))
    return ended.map(({ stderr, stdout }) => stdout + stderr).join("\n")
  }
}
