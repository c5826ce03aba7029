import { todoAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { Effect, Latch, Stream } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { expect } from "vitest"
import { StoreId } from "../../src/backend/StoreId.ts"
import { makeScene, type Scene } from "../connection/harness.ts"
import { Caller, untilFound } from "./Caller.ts"
import type { Heard, Proof } from "./dialects.ts"
import type { LinkOptions } from "./Link.ts"
import { turnOfTheLoop } from "./rejections.ts"

const KiB = 1024

/** So small that a few frames reach them. */
export const limits = {
  maxFrameBytes: 16 * KiB,
  maxMessageBytes: 32 * KiB,
  maxRpcMessageBytes: 32 * KiB,
  maxBatchEntries: 16,
  maxRpcBatchEntries: 16,
  maxInboundBytes: 64 * KiB,
  maxInboundFrames: 32,
  maxUnprovedFrameBytes: 4 * KiB,
  maxUnprovedBytes: 16 * KiB,
  outboundHighWaterBytes: 8 * KiB,
  maxOutboundBytes: 64 * KiB,
  maxPageBytes: 8 * KiB,
  maxPendingWrites: 4,
  maxHeldBytes: 256 * KiB
}

/** Of one connection: what may be unanswered and unread, and for each a frame, message or page that went beyond. */
const shareBytes =
  limits.maxInboundBytes +
  limits.maxRpcMessageBytes +
  limits.maxRpcBatchEntries * 512 +
  limits.maxOutboundBytes +
  2 * (limits.maxMessageBytes + limits.maxBatchEntries * 512)
/** Of it, what may be written at the same time: half of what may be unanswered, and a batch. */
const writtenBytes = (limits.maxInboundBytes + limits.maxRpcMessageBytes) / 2 + limits.maxMessageBytes + 3 * 16 * 512
/** Nobody is closed for what would free less. */
const leastFreeableBytes = 64 * KiB

const hostileKeys = ["A", "B", "V", "X"] as const
type HostileKey = (typeof hostileKeys)[number]
/** Keys that the attackers have the signing keys of. `V` belongs to somebody else, `X` to no store. */
const ownKeys = ["A", "B"] as const
type OwnKey = (typeof ownKeys)[number]

interface ProofSent {
  readonly say: "proof" | "wrong proof"
  readonly key: HostileKey
}

type Sent =
  | ProofSent
  | { readonly say: "hello" | "ping" | "text" | "garbage" | "oversize" | "replayed proof" }
  | { readonly say: "subscribe" | "stop"; readonly key: HostileKey }
  | {
      readonly say: "write" | "write in parts" | "part"
      readonly key: HostileKey
      readonly entries: number
      readonly bytes: number
    }
  | { readonly say: "acknowledge"; readonly id: number }

const isProof = (sent: Sent): sent is ProofSent => sent.say === "proof" || sent.say === "wrong proof"

/** What may happen next. `who` is one of the attackers. */
export type Step =
  | { readonly do: "connect"; readonly options: LinkOptions }
  | { readonly do: "send"; readonly who: number; readonly sent: Sent; readonly times: number }
  | { readonly do: "cut" | "read" | "stop reading"; readonly who: number }
  | { readonly do: "assign" | "rebind" | "remove" | "disconnect"; readonly key: OwnKey }
  | { readonly do: "advance"; readonly millis: number }
  | { readonly do: "hold the storage" | "let the storage go" | "honest writes" }
  | { readonly do: "wait"; readonly turns: number }

const hostileKey = fc.constantFrom(...hostileKeys, ...ownKeys)
const key = fc.constantFrom(...ownKeys)
const who = fc.nat(4)
const linkOptions: fc.Arbitrary<LinkOptions> = fc.record({
  protocol: fc.constantFrom("eventlog", "rpc"),
  canPause: fc.boolean(),
  canTell: fc.boolean(),
  canTerminate: fc.boolean()
})

const sent: fc.Arbitrary<Sent> = fc.oneof(
  fc.record({ say: fc.constantFrom("hello", "ping", "text", "garbage", "oversize", "replayed proof") }),
  { weight: 3, arbitrary: fc.record({ say: fc.constantFrom("wrong proof", "subscribe", "stop"), key: hostileKey }) },
  { weight: 2, arbitrary: fc.record({ say: fc.constant("proof"), key }) },
  {
    weight: 4,
    arbitrary: fc.record({
      say: fc.constantFrom("write", "write in parts", "part"),
      key: hostileKey,
      entries: fc.nat(18),
      bytes: fc.constantFrom(10, 500, 1_500)
    })
  },
  fc.record({ say: fc.constant("acknowledge"), id: fc.nat(30) })
)

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("connect"), options: linkOptions }) },
  // Who proves a key gets further, and does so often.
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("send"),
      who,
      sent: fc.record({ say: fc.constant("proof"), key }),
      times: fc.constant(1)
    })
  },
  {
    weight: 16,
    arbitrary: fc.record({ do: fc.constant("send"), who, sent, times: fc.constantFrom(1, 1, 1, 3, 12) })
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("cut", "read", "stop reading", "stop reading"), who }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("assign", "assign", "rebind", "remove", "disconnect"), key })
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("advance"), millis: fc.constantFrom(10, 150, 2_000, 12_000) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("hold the storage", "let the storage go", "honest writes") })
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("wait"), turns: fc.nat(5) }) }
)

const prelude: ReadonlyArray<Step> = [
  { do: "wait", turns: 20 },
  { do: "send", who: 0, sent: { say: "proof", key: "A" }, times: 1 },
  { do: "wait", turns: 50 },
  { do: "send", who: 0, sent: { say: "subscribe", key: "A" }, times: 1 },
  { do: "send", who: 0, sent: { say: "write", key: "A", entries: 2, bytes: 500 }, times: 2 },
  { do: "wait", turns: 10 }
]

/** A few of them connect first, and one proves a key and follows its store, so that there is somebody. */
export const steps: fc.Arbitrary<ReadonlyArray<Step>> = fc
  .tuple(
    fc.array(fc.record({ do: fc.constant("connect" as const), options: linkOptions }), { minLength: 2, maxLength: 3 }),
    fc.array(step, { minLength: 10, maxLength: 80, size: "max" })
  )
  .map(([first, then]) => [...first, ...prelude, ...then])

const signing = { A: makeSigningKey(), B: makeSigningKey(), V: makeSigningKey(), W: makeSigningKey() }
/** Whom a key is given to, and who pretends to have one. */
const [stranger, forger] = [makeSigningKey(), makeSigningKey()]
const stores = { A: "store", B: "store of B", V: "store of V", W: "store of W" }

const entriesOf = (count: number, bytes: number) =>
  Array.from({ length: count }, (_, index) => todoAdded(`${index}${"x".repeat(bytes)}`))

/** A write that was sent, and whether its key could be used then, and since when. */
interface SentWrite {
  readonly key: string
  readonly closedSince: number | undefined
}

/**
 * Attackers of both protocols on runtimes of every kind, and two honest peers beside them. After each step it is looked
 * whether the server kept what it promises.
 */
export class Play {
  readonly #scene: Scene
  readonly #storage: Latch.Latch
  readonly #attackers: Array<Caller> = []
  readonly #honest: ReadonlyArray<{ readonly caller: Caller; readonly key: "V" | "W"; readonly ids: Array<number> }>
  readonly #proved = new Map<Caller, Set<string>>()
  readonly #writes = new Map<Caller, Map<number, SentWrite>>()
  /** Keys that can't be used, and the number of the change after which. */
  readonly #closed = new Map<string, number>([["X", 0]])
  /** What may never happen, and did. */
  readonly #wrongs: Array<string> = []
  readonly #seen: Array<Proof> = []
  #changes = 0

  private constructor(scene: Scene, storage: Latch.Latch, honest: ReadonlyArray<readonly [Caller, "V" | "W"]>) {
    this.#scene = scene
    this.#storage = storage
    this.#honest = honest.map(([caller, key]) => ({ caller, key, ids: [] }))
  }

  /** A server with two honest peers. */
  static readonly begin = Effect.gen(function* () {
    const storage = Latch.makeUnsafe(true)
    const scene = yield* makeScene({
      sessionAuth: "required",
      limits,
      pingInterval: "20 seconds",
      pingTimeout: "10 seconds",
      proofTimeout: "10 seconds",
      closeTimeout: "2 seconds",
      wrapStore: (store) => ({ append: (...args) => storage.whenOpen(store.append(...args)) })
    })
    for (const key of ["A", "B", "V", "W"] as const) {
      const { signingPublicKey } = signing[key]
      yield* scene.server.assign({ publicKey: key, storeId: StoreId.make(stores[key]), signingPublicKey })
    }
    const able = { canPause: false, canTell: true, canTerminate: true }
    const [own, stock] = [
      new Caller(scene.server, { ...able, protocol: "eventlog" }),
      new Caller(scene.server, { ...able, protocol: "rpc" })
    ]
    yield* own.prove("V", signing.V)
    yield* stock.prove("W", signing.W)
    return new Play(scene, storage, [
      [own, "V"],
      [stock, "W"]
    ])
  })

  perform(step: Step): Effect.Effect<unknown, unknown> {
    const { server } = this.#scene
    switch (step.do) {
      case "connect":
        return Effect.sync(() => {
          this.#attackers.push(new Caller(server, step.options, (heard, caller) => this.#check(heard, caller)))
        })
      case "send": {
        const caller = this.#attackers[step.who]
        return caller === undefined
          ? Effect.void
          : Effect.repeat(this.#send(caller, step.sent), { times: step.times - 1 })
      }
      case "cut":
        return Effect.sync(() => this.#attackers[step.who]?.link.cut())
      case "read":
      case "stop reading":
        return Effect.sync(() => {
          const link = this.#attackers[step.who]?.link
          if (link !== undefined) link.isReading = step.do === "read"
        })
      case "assign":
      case "rebind":
        return this.#assign(step.key, step.do === "rebind")
      case "remove":
        return Effect.andThen(
          server.remove(step.key),
          Effect.sync(() => this.#closed.set(step.key, ++this.#changes))
        )
      case "disconnect":
        return server.disconnect({ publicKey: step.key })
      case "advance":
        // As a client of either kind does in time.
        return Effect.andThen(
          Effect.sync(() => {
            for (const { caller } of this.#honest) caller.link.frame(caller.dialect.ping())
          }),
          TestClock.adjust(step.millis)
        )
      case "hold the storage":
        return Effect.sync(() => this.#storage.closeUnsafe())
      case "let the storage go":
        return this.#storage.open
      case "honest writes":
        return Effect.sync(() => {
          for (const { caller, ids, key } of this.#honest) ids.push(caller.write(key, entriesOf(1, 100)))
        })
      case "wait":
        return Effect.repeat(Effect.promise(turnOfTheLoop), { times: step.turns })
    }
  }

  /** What holds at any time. */
  readonly verify = Effect.suspend(() =>
    Effect.map(this.#scene.server.stats, ({ heldBytes }) => {
      const callers = [...this.#attackers, ...this.#honest.map(({ caller }) => caller)]
      expect(heldBytes).toBeGreaterThanOrEqual(0)
      expect(heldBytes).toBeLessThanOrEqual(callers.length * shareBytes)
      expect(heldBytes).toBeLessThanOrEqual(limits.maxHeldBytes + callers.length * (leastFreeableBytes + writtenBytes))
      for (const { link } of callers) expect([link.late, link.closes > 1]).toEqual([0, false])
      for (const { caller } of this.#honest) expect(caller.link.closes).toBe(0)
      expect(this.#wrongs).toEqual([])
    })
  )

  /** In the end everybody honest was served, and nothing is left of anybody. */
  readonly end = Effect.gen({ self: this }, function* () {
    yield* this.#storage.open
    for (const { caller, ids } of this.#honest) {
      yield* caller.until(() => (caller.ids("acked").length === ids.length ? true : undefined))
      expect(caller.ids("acked")).toEqual(ids)
    }
    yield* this.verify
    for (const { link } of this.#attackers) link.cut()
    for (const { caller } of this.#honest) caller.link.cut()
    const left = { connections: 0, subscriptions: 0, heldBytes: 0, stores: 0 }
    const isLeft = Effect.map(this.#scene.server.stats, ({ connections, heldBytes, stores, subscriptions }) =>
      connections + subscriptions + heldBytes + stores === 0 ? true : undefined
    )
    // What is held up by the rate or by a failed proof waits for its time.
    yield* Effect.repeat(Effect.andThen(TestClock.adjust("5 seconds"), Effect.promise(turnOfTheLoop)), { times: 10 })
    yield* Effect.ignoreCause(untilFound(isLeft))
    expect(yield* this.#scene.server.stats).toMatchObject(left)
    yield* this.verify
    for (const { ids, key } of this.#honest) {
      const entries = yield* Stream.runCollect(this.#scene.server.read({ storeId: StoreId.make(stores[key]), from: 1 }))
      expect(entries.map(({ author }) => author)).toEqual(ids.map(() => key))
    }
  })

  #assign(key: OwnKey, isRebound: boolean): Effect.Effect<unknown, unknown> {
    const { signingPublicKey } = isRebound ? stranger : signing[key]
    if (!isRebound) this.#closed.delete(key)
    const assigned = this.#scene.server.assign({ publicKey: key, storeId: StoreId.make(stores[key]), signingPublicKey })
    return Effect.andThen(
      assigned,
      Effect.sync(() => {
        if (isRebound) this.#closed.set(key, ++this.#changes)
      })
    )
  }

  /** Nothing is granted to a key that was not proved on this connection, or can't be used. */
  #check(heard: Heard, caller: Caller): void {
    if (heard.is === "subscription") {
      if (!this.#proved.get(caller)?.has(heard.publicKey))
        this.#wrongs.push(`changes of ${heard.publicKey}, not proved`)
      if (this.#closed.has(heard.publicKey)) this.#wrongs.push(`changes of ${heard.publicKey}, which has no store`)
    }
    if (heard.is !== "acked") return
    const write = this.#writes.get(caller)?.get(heard.id)
    if (write === undefined) return void this.#wrongs.push("an answer to nothing")
    const { closedSince, key } = write
    if (!this.#proved.get(caller)?.has(key)) this.#wrongs.push(`a write with ${key}, not proved`)
    if (closedSince !== undefined && this.#closed.get(key) === closedSince) {
      this.#wrongs.push(`a write with ${key}, which has no store`)
    }
  }

  #send(caller: Caller, sent: Sent): Effect.Effect<void> {
    if (isProof(sent)) return this.#prove(caller, sent.key, sent.say === "proof")
    return Effect.sync(() => {
      for (const frame of this.#framesOf(caller, sent)) caller.link.frame(frame)
    })
  }

  #framesOf(caller: Caller, sent: Exclude<Sent, ProofSent>): ReadonlyArray<Uint8Array | string> {
    const { dialect } = caller
    switch (sent.say) {
      case "hello":
        return [dialect.hello() ?? dialect.ping()]
      case "ping":
        return [dialect.ping()]
      case "text":
        return ["text"]
      case "garbage":
        return [Uint8Array.of(0x83, 0xa4, 0xff, 1, 2, 3)]
      case "oversize":
        return [new Uint8Array(limits.maxFrameBytes + 1)]
      case "replayed proof":
        return this.#seen.slice(-1).map((proof) => dialect.authenticate(proof))
      case "acknowledge":
        return [dialect.acknowledge(sent.id)]
      case "subscribe":
        return [dialect.subscribe(caller.nextId, sent.key, 0)]
      case "stop":
        return [dialect.stop(caller.nextId - 1, sent.key)]
      default:
        return this.#writeFrames(caller, sent)
    }
  }

  #writeFrames(
    caller: Caller,
    { bytes, entries, key, say }: Extract<Sent, { readonly entries: number }>
  ): ReadonlyArray<Uint8Array> {
    const id = caller.nextId
    const writes = this.#writes.get(caller) ?? new Map<number, SentWrite>()
    this.#writes.set(caller, writes.set(id, { key, closedSince: this.#closed.get(key) }))
    const encoded = caller.dialect.writeBytes(id, key, entriesOf(entries, bytes))
    if (say === "write") return [caller.dialect.write(id, encoded)]
    // A part by itself is the beginning of what never ends.
    return caller.partsOf(id, encoded).slice(0, say === "part" ? 1 : undefined)
  }

  #prove(caller: Caller, key: HostileKey, isRight: boolean): Effect.Effect<void> {
    const isOwn = isRight && (key === "A" || key === "B")
    return Effect.map(caller.proof(key, isOwn ? signing[key] : forger), (proof) => {
      if (proof === undefined) return
      if (isOwn) this.#proved.set(caller, (this.#proved.get(caller) ?? new Set()).add(key))
      if (isOwn) this.#seen.push(proof)
      caller.link.frame(caller.dialect.authenticate(proof))
    })
  }
}
