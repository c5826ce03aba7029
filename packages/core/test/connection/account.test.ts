import { describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { Account, type Holding } from "../../src/connection/Account.ts"
import { Budget } from "../../src/connection/Budget.ts"
import { defaultLimits, frameCost, type Limits } from "../../src/wire/limits.ts"

const KiB = 1024

const small: Partial<Limits> = { maxInboundBytes: 100 * KiB, maxInboundFrames: 20, maxRequestsPerSecond: 10 }

/** An account whose connection writes down what it is told, and queues what the test says. */
const makeAccount = (budget: Budget, limits: Partial<Limits> = small, isTrusted = true) => {
  const scene = { queued: 0, isPressed: false, isEvicted: false }
  const account = new Account({ ...defaultLimits, ...limits }, budget, 0, {
    onPressure: (isPressed) => {
      scene.isPressed = isPressed
    },
    queuedBytes: () => scene.queued,
    evict: () => {
      scene.isEvicted = true
      scene.queued = 0
      account.close()
    }
  })
  account.isTrusted = isTrusted
  return Object.assign(scene, { account })
}

describe("what came in", () => {
  it("counts with what its objects cost, until it is let go of, once", () => {
    const budget = new Budget(1e9)
    const { account } = makeAccount(budget)
    const holding = account.hold(1_000)
    expect([account.heldBytes, account.unanswered]).toEqual([1_000 + frameCost, 1])
    expect(budget.heldBytes).toBe(0)
    holding.grow(5_000)
    expect(account.heldBytes).toBe(6_000 + frameCost)
    expect(budget.heldBytes).toBe(6_000 + frameCost)
    holding.release()
    holding.release()
    expect([account.heldBytes, account.unanswered, budget.heldBytes]).toEqual([0, 0, 0])
  })

  it("is too much beyond the share of a connection, and far earlier before a key was proved", () => {
    const { account } = makeAccount(new Budget(1e9), small, false)
    account.hold(60 * KiB)
    expect(account.isOverdrawn(true)).toBe(false)
    account.hold(5 * KiB)
    expect(account.isOverdrawn(true)).toBe(true)
    account.isTrusted = true
    expect(account.isOverdrawn(true)).toBe(false)
    account.hold(40 * KiB)
    expect(account.isOverdrawn(true)).toBe(true)
  })

  it("is bounded in frames where reading can't be paused", () => {
    const { account } = makeAccount(new Budget(1e9))
    for (let count = 0; count < 20; count++) account.hold(1)
    expect(account.isOverdrawn(false)).toBe(false)
    account.hold(1)
    expect(account.isOverdrawn(false)).toBe(true)
    expect(account.isOverdrawn(true)).toBe(false)
  })

  it("stops the reading at half of the share, and lets it go on at a quarter", () => {
    const scene = makeAccount(new Budget(1e9))
    const holdings = Array.from({ length: 5 }, () => scene.account.hold(10 * KiB - frameCost))
    expect(scene.isPressed).toBe(true)
    holdings[0]!.release()
    holdings[1]!.release()
    expect(scene.isPressed).toBe(true)
    holdings[2]!.release()
    expect(scene.isPressed).toBe(false)
  })

  it("stops no reading where the rest of a message has to come first", () => {
    const scene = makeAccount(new Budget(1e9))
    scene.account.changeParts(90 * KiB)
    expect(scene.isPressed).toBe(false)
    scene.account.changeParts(20 * KiB)
    expect(scene.account.isOverdrawn(true)).toBe(true)
  })

  it("stays on the account when the connection goes, until it is written; unfinished parts don't", () => {
    const budget = new Budget(1e9)
    const { account } = makeAccount(budget)
    const written = account.hold(10_000)
    written.work()
    account.changeParts(5_000)
    account.close()
    expect(budget.heldBytes).toBe(10_000 + frameCost)
    written.release()
    expect(budget.heldBytes).toBe(0)
  })
})

describe("the budget of a process", () => {
  const maxBytes = 1_000 * KiB
  const roomy = { maxInboundBytes: 10_000 * KiB, maxInboundFrames: 100_000 }

  /** Holds so many KiB, as small frames. */
  const hold = ({ account }: ReturnType<typeof makeAccount>, kibibytes: number): ReadonlyArray<Holding> =>
    Array.from({ length: kibibytes }, () => account.hold(KiB - frameCost))

  it("is not read above three quarters for who holds more than the average, until half of it is free", () => {
    const budget = new Budget(maxBytes)
    const [greedy, modest] = [makeAccount(budget, roomy), makeAccount(budget, roomy)]
    hold(modest, 10)
    const held = hold(greedy, 760)
    expect([greedy.isPressed, modest.isPressed]).toEqual([true, false])
    hold(modest, 1)
    expect(modest.isPressed).toBe(false)
    for (const holding of held.slice(0, 200)) holding.release()
    expect(greedy.isPressed).toBe(true)
    for (const holding of held.slice(200, 300)) holding.release()
    expect(greedy.isPressed).toBe(false)
  })

  it("is kept by closing those whose end frees most, and nobody else notices", () => {
    const budget = new Budget(maxBytes)
    const [deaf, other, modest] = [makeAccount(budget), makeAccount(budget), makeAccount(budget, roomy)]
    deaf.queued = 600 * KiB
    deaf.account.recount()
    other.queued = 200 * KiB
    other.account.recount()
    hold(modest, 240)
    expect([deaf.isEvicted, other.isEvicted, modest.isEvicted]).toEqual([true, false, false])
    expect(budget.heldBytes).toBeLessThanOrEqual(maxBytes)
  })

  it("closes nobody for what is being written: that would free nothing", () => {
    const budget = new Budget(maxBytes)
    const writer = makeAccount(budget, roomy)
    for (let count = 0; count < 1_100; count++) writer.account.hold(KiB - frameCost).work()
    expect([writer.isEvicted, writer.isPressed]).toEqual([false, true])
  })

  it.effect("lets nobody have a batch decoded while it is full of what is being written, whoever is gone", () =>
    Effect.gen(function* () {
      const budget = new Budget(maxBytes)
      const [gone, modest] = [makeAccount(budget, roomy), makeAccount(budget, roomy)]
      const held = Array.from({ length: 800 }, () => gone.account.hold(KiB - frameCost))
      for (const holding of held) holding.work()
      gone.account.close()
      yield* modest.account.room
      const more = Array.from({ length: 300 }, () => gone.account.hold(KiB - frameCost))
      for (const holding of more) holding.work()
      const waiting = yield* Effect.forkChild(modest.account.room, { startImmediately: true })
      yield* TestClock.adjust("1 second")
      expect(waiting.pollUnsafe()).toBeUndefined()
      for (const holding of held) holding.release()
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(waiting)
    })
  )

  it("looks again before it closes: what was sent meanwhile is no reason", () => {
    const budget = new Budget(maxBytes)
    const reader = makeAccount(budget)
    reader.queued = 900 * KiB
    reader.account.recount()
    reader.queued = 0
    const writer = makeAccount(budget, roomy)
    hold(writer, 200)
    expect([reader.isEvicted, writer.isPressed]).toEqual([false, false])
    expect(budget.heldBytes).toBe(200 * KiB)
  })

  it("is relieved of who keeps it full and is not read", () => {
    const budget = new Budget(maxBytes)
    const idler = makeAccount(budget, roomy)
    hold(idler, 800)
    expect([idler.isPressed, idler.isEvicted]).toEqual([true, false])
    budget.relieve()
    expect(idler.isEvicted).toBe(true)
  })
})

describe("the rate of frames", () => {
  /** How many frames are let in at a time. */
  const admitted = (account: Account, now: number): number => {
    let count = 0
    while (count < 1_000 && account.admit(now) === 0) count++
    return count
  }

  it("lets two seconds' worth in at once, then what time refills, and says how long to wait", () => {
    const { account } = makeAccount(new Budget(1e9), small, false)
    account.isTrusted = true
    expect(admitted(account, 0)).toBe(20)
    expect(account.admit(0)).toBe(100)
    expect(admitted(account, 99)).toBe(0)
    expect(admitted(account, 100)).toBe(1)
    expect(admitted(account, 1_100)).toBe(10)
    expect(admitted(account, 1e15)).toBe(20)
  })

  it("is lower before a key was proved", () => {
    const { account } = makeAccount(new Budget(1e9), { ...small, maxUnprovedFrames: 4 }, false)
    expect(admitted(account, 0)).toBe(8)
    expect(admitted(account, 1_000)).toBe(4)
  })

  it("is paid for all that comes in one frame", () => {
    const { account } = makeAccount(new Budget(1e9))
    account.charge(25)
    expect(admitted(account, 500)).toBe(0)
    expect(admitted(account, 1_000)).toBe(5)
  })

  it("survives a clock that is set back", () => {
    const { account } = makeAccount(new Budget(1e9))
    admitted(account, 10_000)
    expect(admitted(account, 0)).toBe(0)
    expect(admitted(account, 1_000)).toBe(10)
  })
})

it.effect("a batch waits while more than half of the share is being written, and goes on after that", () =>
  Effect.gen(function* () {
    const { account } = makeAccount(new Budget(1e9))
    yield* account.room
    const [first, second] = [account.hold(40 * KiB), account.hold(20 * KiB)]
    first.work()
    yield* account.room
    second.work()
    const waiting = yield* Effect.forkChild(account.room, { startImmediately: true })
    expect(waiting.pollUnsafe()).toBeUndefined()
    second.release()
    yield* Fiber.join(waiting)
  })
)
