import fc from "fast-check"

/** How many of what a scenario plays with. */
export const nodeCount = 2
export const storeCount = 2
export const deviceCount = 6

/** The port members that can be told to fail. */
export const members = [
  "FeedStore.append",
  "FeedStore.read",
  "FeedStore.bucket",
  "FeedStore.bucketBounds",
  "FeedStore.head",
  "StoreProgress.behind",
  "StoreProgress.lease",
  "StoreProgress.advance",
  "StoreProgress.failures",
  "StoreProgress.cursors",
  "StoreProgress.raiseCutoffs",
  "Registry.resolve"
] as const
export type Member = (typeof members)[number]

/** A call that fails did nothing, or did it all and only its answer is lost. `slow` takes a second. */
export const troubles = ["before", "after", "slow"] as const
export type Trouble = (typeof troubles)[number]

/** What is done to the system next; `millis` go by after it. */
export type Step =
  | {
      readonly do: "write"
      readonly device: number
      readonly count: number
      readonly size: "small" | "page"
      readonly millis: number
    }
  | {
      readonly do: "repeat" | "cut" | "stall" | "remove" | "return" | "join" | "glimpse" | "poison"
      readonly device: number
      readonly millis: number
    }
  | { readonly do: "move"; readonly device: number; readonly node: number; readonly millis: number }
  | { readonly do: "server write"; readonly node: number; readonly store: number; readonly millis: number }
  | { readonly do: "kill" | "restart" | "pause" | "deafen" | "regroup"; readonly node: number; readonly millis: number }
  | {
      readonly do: "trouble"
      readonly node: number
      readonly member: Member
      readonly trouble: Trouble
      readonly times: number
      readonly millis: number
    }
  | { readonly do: "late note" | "wait"; readonly millis: number }

/** A simulated week. */
export interface Scenario {
  /** Of all delays. */
  readonly seed: number
  /** How long a call of the backend, a frame on its way and a handler take at most, in milliseconds. */
  readonly latency: number
  readonly steps: ReadonlyArray<Step>
}

const device = fc.nat(deviceCount - 1)
const node = fc.nat(nodeCount - 1)
const millis = fc.constantFrom(0, 0, 1, 5, 20, 100, 700, 3_000)

const write = fc.record({
  do: fc.constant("write" as const),
  device,
  count: fc.integer({ min: 1, max: 9 }),
  size: fc.constantFrom("small" as const, "small" as const, "page" as const),
  millis
})

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: write },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "repeat",
        "repeat",
        "cut",
        "cut",
        "stall",
        "remove",
        "return",
        "join",
        "glimpse",
        "glimpse",
        "glimpse",
        "poison"
      ),
      device,
      millis
    })
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("move" as const), device, node, millis }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("server write" as const), node, store: fc.nat(storeCount - 1), millis })
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("kill", "restart", "pause", "deafen"), node, millis }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("trouble" as const),
      node,
      member: fc.constantFrom(...members),
      trouble: fc.constantFrom(...troubles),
      times: fc.integer({ min: 1, max: 3 }),
      millis
    })
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("regroup" as const), node, millis }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("late note", "wait"), millis }) }
)

/** Any scenario. */
export const scenarios: fc.Arbitrary<Scenario> = fc.record({
  seed: fc.nat(),
  latency: fc.constantFrom(0, 3, 40),
  steps: fc.array(step, { minLength: 5, maxLength: 40, size: "max" })
})
