import { setTimeout as sleep } from "node:timers/promises"
import type { FeedLoss } from "@eventlog-server/core"
import { expect, onTestFinished, vi } from "vitest"
import { Device } from "./Device.ts"
import type { ReplacedStorage } from "./ForgetfulStorage.ts"
import { type Feed, type Feeds, openReader, storeIds } from "./feeds.ts"
import { Gate } from "./Gate.ts"
import { type Node, startNode } from "./Node.ts"

/** How long a phase may take. */
const patience = { timeout: 45_000, interval: 100 }

/** A write of a node's own that was acked. */
export interface AckedWrite {
  readonly storeId: string
  readonly sequence: number
  readonly primaryKey: string
}

/** Nodes on one storage, each with a live device of each store, all of which write one entry after another. */
export class Scene {
  readonly devices: ReadonlyArray<Device>
  readonly acked: Array<AckedWrite> = []
  /** The feeds as the storage has them now. */
  readonly feeds: () => Promise<Feeds>
  /** Where the handlers of all nodes wait. */
  readonly gate: Gate
  readonly #nodes: ReadonlyArray<Node>
  readonly #load = new AbortController()
  #writing: Promise<unknown> = Promise.resolve()

  private constructor(feeds: Scene["feeds"], gate: Gate, nodes: ReadonlyArray<Node>, devices: ReadonlyArray<Device>) {
    this.feeds = feeds
    this.gate = gate
    this.#nodes = nodes
    this.devices = devices
  }

  /** Starts everything, and the load. All of it ends with the test. */
  static async open(storage: ReplacedStorage, nodeCount: number): Promise<Scene> {
    const gate = new Gate()
    const nodes = await Promise.all(Array.from({ length: nodeCount }, () => startNode(storage.openBackend(), gate)))
    // What waits there would keep nodes from closing.
    onTestFinished(() => gate.open())
    const opening = nodes.flatMap(({ urlOf }) => storeIds.map((storeId) => Device.open(urlOf(storeId), storeId)))
    const scene = new Scene(openReader(storage.openBackend()), gate, nodes, await Promise.all(opening))
    scene.#begin()
    return scene
  }

  /** What the nodes reported as lost. */
  get losses(): ReadonlyArray<FeedLoss> {
    return this.#nodes.flatMap(({ losses }) => losses)
  }

  /** Waits, under load, until every device that isn't away was told of so many entries more. */
  async untilTold(more: number): Promise<void> {
    const there = this.devices.filter(({ isAway }) => !isAway)
    const before = there.map(({ received }) => received)
    await vi.waitFor(() => {
      const told = there.map(({ received }, index) => received - before[index]!)
      expect(Math.min(...told)).toBeGreaterThanOrEqual(more)
    }, patience)
  }

  /** Waits, under load, until every feed is so long. */
  async untilFeeds(length: (storeId: string) => number): Promise<void> {
    await vi.waitFor(async () => {
      for (const [storeId, feed] of await this.feeds()) expect(feed.size).toBeGreaterThanOrEqual(length(storeId))
    }, patience)
  }

  /** Nothing is written from now on. */
  async endLoad(): Promise<void> {
    this.#load.abort()
    await this.#writing
  }

  /** Waits, without load, until every device has its feed and nothing else, and all of it was handled. */
  async untilAgreed(): Promise<void> {
    await this.endLoad()
    await vi.waitFor(async () => {
      const feeds = await this.feeds()
      // Numbers, since lists of what is wrong would have thousands of lines.
      const devices = await Promise.all(this.devices.map((device) => device.compare(feeds.get(device.storeId)!)))
      const unhandled = [...feeds.values()].map((feed) => this.#unhandled(feed))
      expect({ devices, unhandled }).toEqual({
        devices: devices.map(() => ({ others: 0, missing: 0, unsent: 0, unacked: 0 })),
        unhandled: unhandled.map(() => 0)
      })
    }, patience)
  }

  #unhandled(feed: Feed): number {
    return [...feed.values()].filter(({ id }) => !this.#nodes.some(({ handled }) => handled.has(id))).length
  }

  #begin(): void {
    const { signal } = this.#load
    this.#writing = Promise.all([
      ...this.devices.map((device) => device.writeUntil(signal)),
      ...this.#nodes.map((node, index) => this.#writeAs(node, index, signal))
    ])
  }

  async #writeAs(node: Node, index: number, signal: AbortSignal): Promise<void> {
    for (let count = 0; !signal.aborted; count++) {
      const storeId = storeIds[count % storeIds.length]!
      const primaryKey = `node ${index}: ${count}`
      await node.write(storeId, primaryKey).then(
        (sequence) => void this.acked.push({ storeId, primaryKey, sequence }),
        // The storage is away.
        () => sleep(10)
      )
    }
  }
}
