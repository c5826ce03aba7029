import { type Backend, memoryBackend } from "@eventlog-server/core"
import { EventLogServerStoreRegistry, FeedStore, StoreProgress } from "@eventlog-server/core/backend"
import { StoreId } from "@eventlog-server/core/effect"
import { Clock, Context, Effect, Layer } from "effect"
import type { FinalDevice, Outcome, Recorded, StoredEntry } from "../oracle/history.ts"
import { makeRandom, type Random } from "../random.ts"
import { Recorder } from "../recorder.ts"
import { encodePayload, serverSchema } from "../schema.ts"
import { digestOf, idOf, storedEntry } from "../seen.ts"
import { Device, retryMillis } from "./device.ts"
import { Leases } from "./leases.ts"
import { type Node, startNode } from "./node.ts"
import { NodeState } from "./nodeState.ts"
import { deviceCount, nodeCount, type Scenario, type Step, storeCount } from "./scenario.ts"
import { poison } from "./troubledBackend.ts"
import { connect, type Wire } from "./wire.ts"

/** Two nodes, their backend, and devices. */
export interface World {
  readonly history: ReadonlyArray<Recorded>
  readonly perform: (step: Step) => Effect.Effect<void>
  /** Ends all faults. */
  readonly heal: Effect.Effect<void>
  /** Whether every device sent and got everything, and everything was handled. */
  readonly isAtRest: Effect.Effect<boolean>
  /** Has everything tried again whose handler failed. */
  readonly retryFailures: Effect.Effect<void>
  /** Whether something still is to be tried again. */
  readonly hasRetries: Effect.Effect<boolean>
  readonly outcome: Effect.Effect<Outcome>
}

const hour = 3_600_000
/** How old entries must be to be compacted: each life of a node has the next of these. */
const compactionAges = [60_000, hour, 4 * hour]
/** Entries that are written while devices come together. */
const singleWrites = 8
const storeNames = Array.from({ length: storeCount }, (_, index) => `store ${index}`)
const events = ["Added", "Added", "Changed", "Noted", "Noted", "Noted", "Failed", "Whispered"]

/** How far the clock of the device in a place is ahead. What the two old ones note may be compacted. */
const clockOffsetOf = (index: number): number => [0, -3 * hour, 0, 5 * hour, -20 * hour][index % 5]!

/** The places of devices whose clocks are so late that what they note may be compacted. */
const oldDevices = Array.from({ length: deviceCount }, (_, index) => index).filter(
  (index) => clockOffsetOf(index) < -hour
)

class SimulatedWorld implements World {
  readonly history: ReadonlyArray<Recorded>
  private readonly recorder: Recorder
  private readonly random: Random
  private readonly latency: number
  private readonly backend: Backend
  private readonly store: FeedStore["Service"]
  private readonly failures: StoreProgress["Service"]["failures"]
  private readonly registry: EventLogServerStoreRegistry["Service"]
  private readonly leases = new Leases()
  private readonly nodes: Array<Node | undefined> = []
  private readonly devices: Array<Device>
  private readonly everyDevice: Array<Device> = []
  private readonly homes: Array<number>
  private readonly firstAge: number
  private lives = 0
  private texts = 0

  constructor(
    { latency, seed }: Scenario,
    now: () => number,
    backend: Backend,
    services: Context.Context<FeedStore | EventLogServerStoreRegistry | StoreProgress>
  ) {
    this.recorder = new Recorder(now)
    this.history = this.recorder.history
    this.random = makeRandom(seed)
    this.latency = latency
    this.firstAge = this.random.upTo(compactionAges.length - 1)
    this.backend = backend
    this.store = Context.get(services, FeedStore)
    this.failures = Context.get(services, StoreProgress).failures
    this.registry = Context.get(services, EventLogServerStoreRegistry)
    this.homes = Array.from({ length: deviceCount }, (_, index) => index % nodeCount)
    this.devices = Array.from({ length: deviceCount }, (_, index) => this.makeDevice(index))
  }

  readonly start: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    yield* Effect.forEach(this.devices, (device) => this.assign(device))
    for (let index = 0; index < nodeCount; index++) yield* this.startNode(index)
    for (const device of this.devices) yield* Effect.forkDetach(device.run)
  })

  perform(step: Step): Effect.Effect<void> {
    return (this.actions[step.do] as (step: Step) => Effect.Effect<void>)(step)
  }

  private readonly actions: {
    readonly [Do in Step["do"]]: (step: Extract<Step, { readonly do: Do }>) => Effect.Effect<void>
  } = {
    join: ({ device }) => this.join(device),
    // Its first sync is cut in the middle and goes on at the other node, which may compact what is younger or older.
    glimpse: ({ device }) =>
      this.join(device, () => {
        this.homes[device] = (this.homes[device]! + 1) % nodeCount
        this.devices[device]!.cut()
      }),
    poison: () =>
      Effect.map(Clock.currentTimeMillis, (now) =>
        this.devices.find(({ isPoisoned }) => isPoisoned)?.write(now, "Added", poison, [this.text()])
      ),
    write: ({ count, device, size }) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const isOld = oldDevices.includes(device)
        const isNote = isOld && this.random.chance(0.7)
        const [event, key] = isNote ? ["Noted", "key 0"] : [this.random.pick(events), `key ${this.random.upTo(2)}`]
        this.devices[device]!.write(
          now,
          event,
          key,
          Array.from({ length: count }, () => this.text(size))
        )
      }),
    repeat: ({ device }) => Effect.sync(() => this.devices[device]!.repeat()),
    cut: ({ device }) => Effect.sync(() => this.devices[device]!.cut()),
    stall: ({ device }) => Effect.sync(() => this.devices[device]!.stall(this.random.chance(0.5))),
    move: ({ device, node }) =>
      Effect.sync(() => {
        this.homes[device] = node
        this.devices[device]!.cut()
      }),
    // All come to one node at about the same time, while entries are written one by one: nobody is there to follow yet.
    regroup: ({ node }) =>
      Effect.suspend(() => {
        for (const [index, device] of this.devices.entries()) {
          this.homes[index] = node
          device.cut()
        }
        const write = Effect.suspend(() => this.serverWrite(node, storeNames[0]!))
        const pause = Effect.suspend(() => Effect.sleep(this.random.upTo((2 * retryMillis) / singleWrites)))
        return Effect.asVoid(
          Effect.forkDetach(Effect.repeat(Effect.andThen(pause, write), { times: singleWrites - 1 }))
        )
      }),
    remove: ({ device }) =>
      Effect.suspend(() => {
        const { publicKey } = this.devices[device]!
        const server = this.nodes[0]?.server
        return Effect.orDie(server === undefined ? this.registry.remove(publicKey) : server.remove(publicKey))
      }),
    return: ({ device }) => this.assign(this.devices[device]!),
    "server write": ({ node, store }) => Effect.asVoid(Effect.forkDetach(this.serverWrite(node, storeNames[store]!))),
    kill: ({ node }) => Effect.andThen(this.kill(node), this.later(node)),
    restart: ({ node }) => Effect.asVoid(Effect.forkDetach(this.restart(node))),
    pause: ({ node }) => this.pause(node),
    deafen: ({ node }) => Effect.sync(() => this.nodes[node]?.state.deafen()),
    trouble: ({ member, node, times, trouble }) =>
      Effect.sync(() => {
        this.fault(`${member} fails ${times} times, ${trouble}`, true)
        this.nodes[node]?.state.plan(member, trouble, times)
      }),
    // What comes last is older than what came first: compaction keeps the first note, in the place of the last.
    "late note": () => Effect.asVoid(Effect.forkDetach(this.lateNote)),
    wait: () => Effect.void
  }

  private readonly lateNote: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const order = oldDevices.toSorted((a, b) => clockOffsetOf(b) - clockOffsetOf(a))
    for (const device of order) {
      const now = yield* Clock.currentTimeMillis
      this.devices[device]!.write(now, "Noted", "key 0", [this.text()])
      yield* Effect.sleep(retryMillis)
      this.devices[0]!.write(now, "Added", "key 0", [this.text(), this.text(), this.text()])
    }
  })

  readonly heal: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    for (const [index, node] of this.nodes.entries()) {
      if (node?.state.isStuck) this.fault(`${node.state.run} goes on`, true)
      node?.state.calm()
      node?.state.resume()
      if (node === undefined) yield* this.startNode(index)
    }
    for (const device of this.devices) {
      device.stall(false)
      yield* this.assign(device)
    }
  })

  readonly isAtRest: Effect.Effect<boolean> = Effect.gen({ self: this }, function* () {
    for (const store of storeNames) {
      const { head } = yield* Effect.orDie(this.store.read(StoreId.make(store), 1, { maxEntries: 1, maxBytes: 1 }))
      if (this.leases.cursor(StoreId.make(store)) < head) return false
      const devices = this.devices.filter((device) => device.store === store)
      if (devices.some(({ isPoisoned, next, unsent }) => (unsent > 0 && !isPoisoned) || next <= head)) return false
    }
    return true
  })

  readonly retryFailures: Effect.Effect<void> = Effect.suspend(() =>
    Effect.asVoid(Effect.orDie(this.nodes.find((node) => node !== undefined)!.server.retryFailures({})))
  )

  readonly hasRetries: Effect.Effect<boolean> = Effect.map(
    Effect.suspend(() => Effect.orDie(this.failures.list({ isDue: true, limit: 1 }))),
    ({ length }) => length > 0
  )

  readonly outcome: Effect.Effect<Outcome> = Effect.gen({ self: this }, function* () {
    const feeds = new Map<string, ReadonlyArray<StoredEntry>>()
    for (const store of storeNames) feeds.set(store, yield* this.read(store))
    const devices = this.everyDevice.map(
      (device): FinalDevice => ({
        device: device.name,
        publicKey: device.publicKey,
        store: device.store,
        mustConverge: !device.isPoisoned && this.devices.includes(device),
        journal: Array.from(device.journal)
      })
    )
    const kept = yield* Effect.orDie(this.failures.list({ limit: 100_000 }))
    const failures = new Map(
      storeNames.map((store) => [
        store,
        kept.filter(({ storeId }) => storeId === store).map(({ entryId }) => idOf(entryId))
      ])
    )
    return { feeds, devices, failures, projections: new Map() }
  })

  /** A device in a place. The last place but one is that of one which may be poisoned, the last one is of another store. */
  private makeDevice(index: number, onFirstPage = () => {}): Device {
    const device = new Device({
      name: `device ${this.everyDevice.length}`,
      store: storeNames[index < deviceCount - 1 ? 0 : 1]!,
      clockOffset: clockOffsetOf(index),
      isPoisoned: index === deviceCount - 2,
      random: this.random,
      recorder: this.recorder,
      connect: Effect.suspend(() => this.dial(index)),
      onFirstPage
    })
    this.everyDevice.push(device)
    return device
  }

  /** Puts a new device in the place of another. */
  private join(index: number, onFirstPage?: () => void): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.devices[index]!.leave()
      const joined = this.makeDevice(index, onFirstPage)
      this.devices[index] = joined
      return Effect.andThen(this.assign(joined), Effect.forkDetach(joined.run))
    })
  }

  private fault(what: string, excuses: boolean): void {
    this.recorder.record({ kind: "fault", what, excuses })
  }

  private text(size: "small" | "page" = "small"): string {
    const text = `text ${this.texts++}`
    return size === "page" ? text.padEnd(2_500, ".") : text
  }

  private assign({ publicKey, store }: Device): Effect.Effect<void> {
    return Effect.orDie(this.registry.assign({ publicKey, storeId: StoreId.make(store) }))
  }

  private read(store: string): Effect.Effect<ReadonlyArray<StoredEntry>> {
    const everything = { maxEntries: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER }
    return this.store.read(StoreId.make(store), 1, everything).pipe(
      Effect.map(({ entries }) => entries.map(storedEntry)),
      Effect.orDie
    )
  }

  private dial(device: number): Effect.Effect<Wire> {
    const node = this.nodes[this.homes[device]!] ?? this.nodes.find((other) => other !== undefined)
    if (node === undefined)
      return Effect.andThen(
        Effect.sleep(200),
        Effect.suspend(() => this.dial(device))
      )
    return connect(node.state, node.server)
  }

  private startNode(index: number): Effect.Effect<void> {
    const life = this.lives++
    const state = new NodeState(`node ${index}, life ${life}`, this.random, this.latency)
    return Effect.map(
      startNode(
        state,
        this.backend,
        this.leases,
        this.recorder,
        compactionAges[(this.firstAge + life) % compactionAges.length]!,
        life % 2 === 0
      ),
      (node) => {
        this.nodes[index] = node
      }
    )
  }

  private kill(index: number): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (now) => {
      const node = this.nodes[index]
      if (node === undefined) return
      this.fault(`kill of ${node.state.run}`, true)
      node.state.kill(now)
      this.nodes[index] = undefined
    })
  }

  /** Starts a node again that was killed, after a while. */
  private later(index: number): Effect.Effect<void> {
    return Effect.sleep(this.random.upTo(1_500)).pipe(
      Effect.andThen(Effect.suspend(() => (this.nodes[index] === undefined ? this.startNode(index) : Effect.void))),
      Effect.forkDetach,
      Effect.asVoid
    )
  }

  private restart(index: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const node = this.nodes[index]
      if (node === undefined || node.state.isStuck) return
      this.fault(`restart of ${node.state.run}`, false)
      this.nodes[index] = undefined
      yield* node.close
      if (this.nodes[index] === undefined) yield* this.startNode(index)
    })
  }

  private pause(index: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const node = this.nodes[index]
      if (node === undefined) return
      this.fault(`stop of ${node.state.run}`, true)
      node.state.pause(yield* Clock.currentTimeMillis)
      const resume = Effect.sync(() => {
        this.fault(`${node.state.run} goes on`, true)
        node.state.resume()
      })
      yield* Effect.sleep(this.random.upTo(2 * 2_000)).pipe(Effect.andThen(resume), Effect.forkDetach)
    })
  }

  private serverWrite(index: number, store: string): Effect.Effect<void> {
    const payload = { key: `key ${this.random.upTo(2)}`, text: this.text() }
    const transportOnly = this.random.chance(0.4)
    const digest = digestOf(encodePayload(payload))
    const server = this.nodes[index]?.server
    if (server === undefined) return Effect.void
    this.recorder.record({ kind: "ordered", store, digest, transportOnly })
    const storeId = StoreId.make(store)
    return server.write({ schema: serverSchema, storeId, event: "Added", payload, runHandlers: !transportOnly }).pipe(
      Effect.map(({ sequenceNumbers: [sequence = 0] }) =>
        this.recorder.record({ kind: "authored", store, digest, sequence })
      ),
      Effect.ignoreCause
    )
  }
}

/** Starts everything. @param now milliseconds since the run began */
export const makeWorld = Effect.fnUntraced(function* (scenario: Scenario, now: () => number) {
  const backend = memoryBackend()
  const world = new SimulatedWorld(scenario, now, backend, yield* Layer.build(backend.layer))
  yield* world.start
  return world as World
})
