import { Effect } from "effect"
import fc from "fast-check"
import { expect, it } from "vitest"
import { naiveHistory } from "./naive.ts"
import { type Deploy, type Entry, type Message, type Node, nodes, tags, World } from "./world.ts"

const runs = process.env.EVENTLOG_TEST_LONG === undefined ? 300 : 20_000
const minute = 60_000

type Step =
  | { readonly do: "write"; readonly who: number; readonly tag: number; readonly key: number; readonly ago: number }
  | { readonly do: "send"; readonly who: number }
  | { readonly do: "resend"; readonly who: number }
  | { readonly do: "subscribe"; readonly who: number; readonly node: Node }
  | { readonly do: "cut"; readonly who: number }
  | { readonly do: "pull"; readonly who: number; readonly count: number }
  | { readonly do: "wait"; readonly minutes: number }
  | { readonly do: "deploy"; readonly node: Node; readonly deploy: Deploy }

const devices = 4
/** The others only observe, so the order in which they apply entries is the feed's. */
const writers = 2
const who = fc.nat(devices - 1)
const writer = fc.nat(writers - 1)
const node = fc.constantFrom(...nodes)

const compactor = (events: ReadonlyArray<string>) =>
  fc.record({ events: fc.constant(events), minutes: fc.integer({ min: 1, max: 90 }) })

const deploy: fc.Arbitrary<Deploy> = fc.oneof(
  fc.constant([]),
  fc.tuple(compactor(tags)),
  fc.tuple(compactor(["Added", "Renamed"]), compactor(["Toggled"])),
  fc.tuple(compactor(["Renamed", "Toggled"]))
)

type Weighted = { readonly weight: number; readonly arbitrary: fc.Arbitrary<Step> }

const write: fc.Arbitrary<Step> = fc.record({
  do: fc.constant("write" as const),
  who: writer,
  tag: fc.nat(2),
  key: fc.nat(1),
  ago: fc.oneof(fc.constant(0), fc.nat(200))
})
const send: fc.Arbitrary<Step> = fc.record({ do: fc.constant("send" as const), who: writer })
const subscribe: fc.Arbitrary<Step> = fc.record({ do: fc.constant("subscribe" as const), who, node })
const pull = (most: number): fc.Arbitrary<Step> =>
  fc.record({ do: fc.constant("pull" as const), who, count: fc.integer({ min: 1, max: most }) })
// A clock may step back: what is in force may not.
const wait: fc.Arbitrary<Step> = fc.record({
  do: fc.constant("wait" as const),
  minutes: fc.integer({ min: -30, max: 90 })
})
const redeploy = (deploys: boolean, weight: number): ReadonlyArray<Weighted> =>
  deploys ? [{ weight, arbitrary: fc.record({ do: fc.constant("deploy" as const), node, deploy }) }] : []

/** Anything at any time. */
const mixed = (deploys: boolean): fc.Arbitrary<ReadonlyArray<Step>> =>
  fc.array(
    fc.oneof(
      { weight: 8, arbitrary: write },
      { weight: 4, arbitrary: send },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("resend" as const), who: writer }) },
      { weight: 3, arbitrary: subscribe },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("cut" as const), who }) },
      { weight: 6, arbitrary: pull(4) },
      { weight: 3, arbitrary: wait },
      ...redeploy(deploys, 1)
    ),
    { minLength: 20, maxLength: 120, size: "max" }
  )

/** A long history, and devices that are cut off in the middle of it again and again, while what is compacted changes. */
const firstSyncs = (deploys: boolean): fc.Arbitrary<ReadonlyArray<Step>> =>
  fc
    .tuple(
      fc.array(write, { minLength: 10, maxLength: 30, size: "max" }),
      fc.array(
        fc.oneof(
          { weight: 4, arbitrary: subscribe },
          { weight: 4, arbitrary: pull(2) },
          { weight: 1, arbitrary: wait },
          ...redeploy(deploys, 2)
        ),
        { minLength: 10, maxLength: 40, size: "max" }
      )
    )
    .map(([written, synced]) => [...written, { do: "send", who: 0 }, { do: "send", who: 1 }, ...synced])

const steps = (deploys: boolean): fc.Arbitrary<ReadonlyArray<Step>> => fc.oneof(mixed(deploys), firstSyncs(deploys))

/** A device with a cursor, a journal that knows ids, and an order in which it applied entries. */
class SimulatedDevice {
  cursor = 1
  readonly unsent: Array<Entry> = []
  readonly sent: Array<Entry> = []
  readonly applied: Array<Entry> = []
  readonly represented = new Set<string>()
  private readonly known = new Set<string>()
  private messages: Array<Message> | undefined
  private node: Node = 0
  private live = 1

  write(entry: Entry): void {
    this.unsent.push(entry)
    this.apply(entry)
  }

  *send(world: World) {
    const batch = this.unsent.splice(0)
    this.sent.push(...batch)
    yield* world.append(batch)
  }

  /** Is going to be sent a history by a node, and after its head what is written from now on. */
  begin(node: Node, history: ReadonlyArray<Message>, head: number): void {
    this.node = node
    this.messages = [...history]
    this.live = head + 1
  }

  isServedBy(node: Node): boolean {
    return this.messages !== undefined && this.node === node
  }

  cut(): void {
    this.messages = undefined
  }

  /** Takes one message of the history, or one entry of what came since, which is sent as it is. */
  pull(world: World): boolean {
    const message = this.messages?.shift()
    if (message !== undefined) this.take(message)
    else if (this.messages !== undefined && this.live <= world.feed.length) {
      const entry = world.feed[this.live - 1]!
      this.take({ entries: [{ sequence: this.live++, entry }], standsFor: [entry.idString] })
    } else return false
    return true
  }

  private take({ entries, standsFor }: Message): void {
    for (const { entry, sequence } of entries) {
      this.apply(entry)
      this.cursor = Math.max(this.cursor, sequence + 1)
    }
    for (const id of standsFor) this.represented.add(id)
  }

  private apply(entry: Entry): void {
    if (this.known.has(entry.idString)) return
    this.known.add(entry.idString)
    this.applied.push(entry)
  }
}

/** The last entry of each event and key, in the order given: what handlers that let the last one win end with. */
const stateOf = (entries: ReadonlyArray<Entry>): Record<string, string> =>
  Object.fromEntries(entries.map((entry) => [`${entry.event} ${entry.primaryKey}`, entry.idString]))

class Scene {
  readonly world = new World()
  readonly devices = Array.from({ length: devices }, () => new SimulatedDevice())

  constructor(deployed: Deploy) {
    for (const node of nodes) this.world.deploy(node, deployed)
  }

  *perform(step: Step) {
    if (step.do === "wait") this.world.now += step.minutes * minute
    else if (step.do === "deploy") this.redeploy(step.node, step.deploy)
    else yield* this.act(this.devices[step.who]!, step)
  }

  private *act(device: SimulatedDevice, step: Exclude<Step, { do: "wait" | "deploy" }>) {
    if (step.do === "write") device.write(this.world.makeEntry(tags[step.tag]!, `k${step.key}`, step.ago))
    else if (step.do === "send") yield* device.send(this.world)
    else if (step.do === "resend") yield* this.world.append(device.sent)
    else if (step.do === "subscribe") yield* this.subscribe(device, step.node)
    else if (step.do === "cut") device.cut()
    else for (let count = 0; count < step.count; count++) device.pull(this.world)
  }

  /** Subscribes, and holds what the device is going to be sent against the rules as loops. */
  *subscribe(device: SimulatedDevice, node: Node) {
    const from = device.cursor
    const feed = this.world.feed.slice()
    const meanwhile = Effect.suspend(() => this.world.append(this.devices[0]!.unsent.splice(0)))
    const messages = yield* this.world.history(node, from, meanwhile)
    const groups = yield* this.world.groups(node)
    const sent = messages.flatMap(({ entries }) => entries.map(({ entry, sequence }) => [sequence, entry.idString]))
    expect(sent).toEqual(naiveHistory({ feed, from, groups, deploy: this.world.deployOf(node) }))
    device.begin(node, messages, feed.length)
  }

  private redeploy(node: Node, deploy: Deploy): void {
    this.world.deploy(node, deploy)
    for (const device of this.devices) if (device.isServedBy(node)) device.cut()
  }

  *settle() {
    for (const device of this.devices) yield* device.send(this.world)
    for (const [index, device] of this.devices.entries()) {
      yield* this.subscribe(device, nodes[index % nodes.length]!)
      while (device.pull(this.world)) {}
    }
  }
}

const run = (deployed: Deploy, steps: ReadonlyArray<Step>): Promise<Scene> =>
  Effect.gen(function* () {
    const scene = new Scene(deployed)
    for (const step of steps) yield* scene.perform(step)
    yield* scene.settle()
    return scene
  }).pipe(Effect.runPromise)

const expectComplete = ({ devices, world }: Scene): void => {
  for (const device of devices) {
    expect(world.feed.filter((entry) => !device.represented.has(entry.idString)).map((it) => it.idString)).toEqual([])
  }
}

it("misses nothing on any device, whatever deploys change, and sends what the naive model says", async () => {
  await fc.assert(
    fc.asyncProperty(deploy, steps(true), async (deployed, steps) => {
      expectComplete(await run(deployed, steps))
    }),
    { numRuns: runs }
  )
})

it("leaves observers in the state of raw delivery while the compactors stay", async () => {
  await fc.assert(
    fc.asyncProperty(deploy, steps(false), async (deployed, steps) => {
      const scene = await run(deployed, steps)
      expectComplete(scene)
      for (const device of scene.devices.slice(writers)) {
        expect(stateOf(device.applied)).toEqual(stateOf(scene.world.feed))
      }
    }),
    { numRuns: runs }
  )
})
