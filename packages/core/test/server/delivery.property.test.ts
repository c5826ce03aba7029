import { Device } from "@eventlog-server/testkit/devices"
import { todosAdded } from "@eventlog-server/testkit/schema"
import fc from "fast-check"
import { expect, it } from "vitest"
import { memoryBackend } from "../../src/index.ts"
import { readAll, startServer } from "./host.ts"

const devices = 3
const runs = process.env.EVENTLOG_TEST_LONG === undefined ? 25 : 1_000

/** What happens next; `who` is a device, `node` the server that it connects to. */
type Step =
  | { readonly do: "write"; readonly who: number; readonly count: number; readonly wait: boolean }
  | { readonly do: "server write"; readonly node: number }
  | { readonly do: "subscribe"; readonly who: number; readonly back: number }
  | { readonly do: "stop"; readonly who: number }
  | { readonly do: "cut"; readonly who: number; readonly node: number }
  | { readonly do: "catch up"; readonly who: number }

const who = fc.nat(devices - 1)
const node = fc.nat(1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("write" as const),
      who,
      count: fc.integer({ min: 1, max: 40 }),
      wait: fc.boolean()
    })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("server write" as const), node }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("subscribe" as const), who, back: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("stop" as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("cut" as const), who, node }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("catch up" as const), who }) }
)

/** A device that follows the feed as a client does: its cursor is moved by the stream alone. */
class Follower {
  private device: Device
  private readonly key: string
  private seen = 0
  /** The next sequence that it expects. */
  cursor = 1
  /** Every entry that it was given, by sequence. */
  readonly ids = new Map<number, string>()

  constructor(device: Device, key: string) {
    this.device = device
    this.key = key
  }

  async connect(url: string): Promise<void> {
    this.take()
    this.device.socket.terminate()
    this.device = await Device.open(url)
    this.seen = 0
    await this.device.subscribe(this.key, this.cursor)
  }

  async subscribe(back: number): Promise<void> {
    this.take()
    this.cursor = Math.max(1, this.cursor - back)
    this.device.received.length = 0
    this.seen = 0
    await this.device.subscribe(this.key, this.cursor)
    const at = this.device.received.findLastIndex((message) => message._tag === "Subscribed")
    this.device.received.splice(0, at + 1)
  }

  stop(): Promise<void> {
    this.device.send({ _tag: "StopChanges", publicKey: this.key })
    return this.device.settled()
  }

  write(count: number): Promise<unknown> {
    return this.device.write(this.key, todosAdded(count)).catch(() => "cut before the answer")
  }

  async catchUp(head: number): Promise<void> {
    await this.subscribe(0)
    await this.device.until(() => (this.take() > head ? true : undefined))
  }

  /** Takes what was delivered, which must go on exactly where the last entry left off. */
  take(): number {
    const delivered = this.device.delivered(this.key)
    for (const { entry, remoteSequence } of delivered.slice(this.seen)) {
      expect(remoteSequence).toBe(this.cursor)
      const known = this.ids.get(remoteSequence)
      if (known !== undefined) expect(entry.idString).toBe(known)
      this.ids.set(remoteSequence, entry.idString)
      this.cursor++
    }
    this.seen = delivered.length
    return this.cursor
  }

  close(): void {
    this.device.socket.terminate()
  }
}

type Node = Awaited<ReturnType<typeof startServer>>

/** One store with its followers, on two nodes. */
class Scene {
  private readonly nodes: readonly [Node, Node]
  private readonly storeId: string
  private readonly followers: Array<Follower> = []
  private readonly unanswered: Array<Promise<unknown>> = []

  constructor(nodes: readonly [Node, Node], storeId: string) {
    this.nodes = nodes
    this.storeId = storeId
  }

  async open(): Promise<this> {
    for (let index = 0; index < devices; index++) {
      const key = `${this.storeId} ${index}`
      await this.nodes[0].server.assign({ publicKey: key, storeId: this.storeId })
      this.followers.push(new Follower(await Device.open(this.nodes[index % 2 === 0 ? 0 : 1].url), key))
    }
    return this
  }

  async perform(step: Step): Promise<void> {
    await this.actions[step.do](step as never)
    for (const follower of this.followers) follower.take()
  }

  /** In the end everybody has everything, once, at the place where it stands in the feed. */
  async verify(): Promise<void> {
    await Promise.all(this.unanswered)
    const feed = await readAll(this.nodes[0].server, this.storeId)
    expect(feed.map(({ remoteSequence }) => remoteSequence)).toEqual(feed.map((_, index) => index + 1))
    for (const follower of this.followers) {
      await follower.catchUp(feed.length)
      for (const [sequence, id] of follower.ids) expect(feed[sequence - 1]!.entry.idString).toBe(id)
      follower.close()
    }
  }

  private readonly actions: { readonly [Do in Step["do"]]: (step: Extract<Step, { do: Do }>) => Promise<unknown> } = {
    write: async ({ count, wait, who }) => {
      const written = this.followers[who]!.write(count)
      if (wait) await written
      else this.unanswered.push(written)
    },
    "server write": ({ node }) =>
      this.nodes[node === 0 ? 0 : 1].server.write({
        storeId: this.storeId,
        event: "TodoAdded",
        payload: { id: "s", text: "" }
      }),
    subscribe: ({ back, who }) => this.followers[who]!.subscribe(back),
    stop: ({ who }) => this.followers[who]!.stop(),
    cut: ({ node, who }) => this.followers[who]!.connect(this.nodes[node === 0 ? 0 : 1].url),
    "catch up": ({ who }) => this.followers[who]!.catchUp(0)
  }
}

it("delivers every entry once and in order, whatever writers, subscribers, cursors and cuts do, on two nodes", async () => {
  const backend = memoryBackend()
  const nodes = [await startServer({ backend }), await startServer({ backend })] as const
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40, size: "max" }), async (steps) => {
      const scene = await new Scene(nodes, `store ${run++}`).open()
      for (const step of steps) await scene.perform(step)
      await scene.verify()
    }),
    { numRuns: runs }
  )
})
