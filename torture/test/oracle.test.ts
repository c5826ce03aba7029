import { describe, expect, it } from "vitest"
import { excerpt } from "../src/oracle/excerpt.ts"
import type { Evidence, FinalDevice, Happening, Recorded, SeenEntry, StoredEntry } from "../src/oracle/history.ts"
import { judge } from "../src/oracle/judge.ts"

const entry = (id: string, change: Partial<SeenEntry> = {}): SeenEntry => ({
  id,
  event: "Added",
  primaryKey: "key",
  digest: `digest of ${id}`,
  ...change
})

const stored = (sequence: number, id: string, change: Partial<StoredEntry> = {}): StoredEntry => ({
  sequence,
  entry: entry(id),
  author: "key of a",
  transportOnly: false,
  ...change
})

const placed = (sequence: number, id: string) => ({ sequence, entry: entry(id) })

/** A good week: device `a` writes 1 to 3, one of them twice; the server writes 4; `a` and `b` follow; node `n` handles. */
const goodHistory: ReadonlyArray<Happening> = [
  ...["1", "2", "3"].map((id) => ({ kind: "made" as const, device: "a", entry: entry(id) })),
  { kind: "sent", device: "a", request: "a.1", ids: ["1", "2"] },
  { kind: "acked", device: "a", request: "a.1", sequences: [1, 2] },
  { kind: "handled", store: "s", run: "n", id: "1", conflicts: [] },
  { kind: "subscribed", device: "a", subscription: "a/1", from: 0 },
  { kind: "delivered", device: "a", subscription: "a/1", entries: [placed(1, "1"), placed(2, "2")] },
  { kind: "kept", device: "a", entries: [placed(1, "1"), placed(2, "2")] },
  { kind: "sent", device: "a", request: "a.2", ids: ["2", "3"] },
  { kind: "acked", device: "a", request: "a.2", sequences: [2, 3] },
  { kind: "handled", store: "s", run: "n", id: "2", conflicts: [] },
  { kind: "handled", store: "s", run: "n", id: "3", conflicts: [] },
  { kind: "ordered", store: "s", digest: "digest of 4", transportOnly: true },
  { kind: "authored", store: "s", digest: "digest of 4", sequence: 4 },
  { kind: "delivered", device: "a", subscription: "a/1", entries: [placed(3, "3")] },
  { kind: "kept", device: "a", entries: [placed(3, "3")] },
  { kind: "subscribed", device: "a", subscription: "a/2", from: 4 },
  { kind: "delivered", device: "a", subscription: "a/2", entries: [placed(4, "4")] },
  { kind: "kept", device: "a", entries: [placed(4, "4")] },
  { kind: "measured", run: "n", bytes: 100 }
]

const goodFeed: ReadonlyArray<StoredEntry> = [
  stored(1, "1"),
  stored(2, "2"),
  stored(3, "3"),
  stored(4, "4", { author: null, transportOnly: true })
]

const deviceA: FinalDevice = {
  device: "a",
  publicKey: "key of a",
  store: "s",
  mustConverge: true,
  journal: ["1", "2", "3", "4"]
}

interface Case {
  readonly history?: ReadonlyArray<Happening>
  readonly feed?: ReadonlyArray<StoredEntry>
  readonly devices?: ReadonlyArray<FinalDevice>
  readonly projection?: ReadonlyArray<string>
  readonly compacted?: ReadonlyArray<string>
  readonly failures?: ReadonlyArray<string>
}

const evidence = ({
  compacted = [],
  devices = [deviceA],
  failures = [],
  feed = goodFeed,
  history = goodHistory,
  projection
}: Case) =>
  ({
    history: history.map((happening, index): Recorded => ({ ...happening, at: index * 10 })),
    outcome: {
      feeds: new Map([["s", feed]]),
      devices,
      failures: new Map([["s", failures]]),
      projections: new Map(projection === undefined ? [] : [["s", projection]])
    },
    rules: {
      handledEvents: new Set(["Added"]),
      failingEvents: new Set(["Failed"]),
      compactedEvents: new Set(compacted),
      rollsBack: projection !== undefined,
      maxConflicts: 2,
      excuseMillis: 5,
      maxServerBytes: 1_000
    }
  }) satisfies Evidence

const rulesBroken = (given: Case) => Array.from(new Set(judge(evidence(given)).map(({ rule }) => rule)))

/** The good history with the first happening that fits replaced by others. */
const instead = (fits: (happening: Happening) => boolean, ...others: ReadonlyArray<Happening>) => {
  const index = goodHistory.findIndex(fits)
  expect(index).not.toBe(-1)
  return goodHistory.toSpliced(index, 1, ...others)
}

const isHandled = (id: string) => (happening: Happening) => happening.kind === "handled" && happening.id === id
const flunked = (id: string) => ({ kind: "flunked" as const, store: "s", run: "n", id })
const discarded = (id: string) => ({ kind: "discarded" as const, store: "s", id })
const handled = (id: string, conflicts: ReadonlyArray<string> = [], run = "n"): Happening => ({
  kind: "handled",
  store: "s",
  run,
  id,
  conflicts
})
const fault = (excuses: boolean): Happening => ({ kind: "fault", what: "kill", excuses })
const subscribedAt = (from: number, ...entries: ReadonlyArray<ReturnType<typeof placed>>): ReadonlyArray<Happening> => [
  ...goodHistory,
  { kind: "subscribed", device: "a", subscription: "x", from },
  { kind: "delivered", device: "a", subscription: "x", entries }
]

describe("what it accepts", () => {
  it("accepts a good history", () => {
    expect(judge(evidence({ projection: ["1", "2", "3"] }))).toEqual([])
  })

  it("accepts an unanswered write that is there once, and one that isn't there at all", () => {
    const history = goodHistory.filter(({ kind }) => kind !== "acked")
    expect(rulesBroken({ history })).toEqual([])
    const devices = [{ ...deviceA, mustConverge: false }]
    const lost = { kind: "made" as const, device: "a", entry: entry("9") }
    expect(rulesBroken({ history: [...history, lost], devices })).toEqual([])
  })

  it("accepts an ack that names no sequences", () => {
    const isAcked = ({ kind }: Happening) => kind === "acked"
    expect(rulesBroken({ history: instead(isAcked, { kind: "acked", device: "a", request: "a.1" }) })).toEqual([])
  })

  it("accepts handlers that run again after a crash, from before where they were", () => {
    const again = [handled("3"), fault(true), handled("2", [], "m"), handled("3", [], "m")]
    expect(rulesBroken({ history: instead(isHandled("3"), ...again) })).toEqual([])
  })

  it("accepts a repeat of what ran shortly after the fault", () => {
    const again = [fault(true), handled("3"), handled("3", [], "m")]
    const late = [fault(true), fault(false), handled("3"), handled("3", [], "m")]
    expect(rulesBroken({ history: instead(isHandled("3"), ...late) })).toEqual(["handlers"])
    const history = evidence({ history: instead(isHandled("3"), ...again) })
    expect(judge({ ...history, rules: { ...history.rules, excuseMillis: 10 } })).toEqual([])
  })

  it("accepts a compacted history that leads to the same state", () => {
    const older = [
      stored(1, "1"),
      stored(2, "2"),
      stored(3, "3"),
      stored(4, "4", { author: null, transportOnly: true })
    ]
    const history = [
      ...goodHistory,
      { kind: "subscribed", device: "a", subscription: "x", from: 0 },
      { kind: "delivered", device: "a", subscription: "x", entries: [placed(4, "4")] }
    ] as ReadonlyArray<Happening>
    expect(rulesBroken({ feed: older, history, compacted: ["Added"] })).toEqual([])
    expect(rulesBroken({ feed: older, history })).toEqual(["deliveries"])
  })
})

describe("feeds", () => {
  it("rejects a gap", () => {
    expect(rulesBroken({ feed: goodFeed.toSpliced(1, 1) })).toContain("sequences")
  })

  it("rejects an entry that is stored twice", () => {
    expect(rulesBroken({ feed: [...goodFeed, stored(5, "2")] })).toContain("once")
  })

  it("rejects an entry that nobody made, and one of a device of another store", () => {
    expect(rulesBroken({ feed: [...goodFeed, stored(5, "forged")] })).toContain("origins")
    const stranger = { ...deviceA, device: "b", publicKey: "key of b", store: "t", mustConverge: false }
    const history = [...goodHistory, { kind: "made" as const, device: "b", entry: entry("5") }]
    const feed = [...goodFeed, stored(5, "5", { author: "key of b" })]
    expect(rulesBroken({ feed, history, devices: [deviceA, stranger] })).toContain("origins")
  })

  it("rejects another author, another payload and another visibility", () => {
    const changed = (change: Partial<StoredEntry>) => rulesBroken({ feed: goodFeed.with(1, stored(2, "2", change)) })
    expect(changed({ author: "key of b" })).toContain("origins")
    expect(changed({ entry: entry("2", { digest: "other" }) })).toContain("origins")
    expect(changed({ transportOnly: true })).toContain("origins")
    expect(rulesBroken({ feed: goodFeed.with(3, stored(4, "4", { author: null })) })).toContain("origins")
  })

  it("rejects a write of the server that is lost, moved or there twice", () => {
    expect(rulesBroken({ feed: goodFeed.slice(0, 3) })).toContain("acks")
    const fifth = stored(5, "5", { author: null, transportOnly: true, entry: entry("5", { digest: "digest of 4" }) })
    expect(rulesBroken({ feed: [...goodFeed, fifth] })).toContain("once")
  })
})

describe("writes", () => {
  it("rejects an acked entry that is lost", () => {
    expect(rulesBroken({ feed: goodFeed.slice(0, 2) })).toContain("acks")
    const isAcked = (happening: Happening) => happening.kind === "acked" && happening.request === "a.2"
    const untold = instead(isAcked, { kind: "acked", device: "a", request: "a.2" })
    expect(rulesBroken({ history: untold, feed: goodFeed.slice(0, 2) })).toContain("acks")
  })

  it("rejects an ack that names another sequence, or too few", () => {
    const acked = (sequences: ReadonlyArray<number>) =>
      rulesBroken({
        history: instead(({ kind }) => kind === "acked", { kind: "acked", device: "a", request: "a.1", sequences })
      })
    expect(acked([1, 3])).toEqual(["acks"])
    expect(acked([1])).toEqual(["acks"])
  })

  it("rejects a second sequence for a repeated entry", () => {
    const again = { kind: "acked" as const, device: "a", request: "a.2", sequences: [3, 4] }
    const history = instead((happening) => happening.kind === "acked" && happening.request === "a.2", again)
    expect(rulesBroken({ history })).toContain("acks")
  })

  it("rejects half a request", () => {
    const history = [...goodHistory, { kind: "sent" as const, device: "a", request: "a.3", ids: ["1", "9"] }]
    expect(rulesBroken({ history })).toEqual([])
    const alone = (mayBeParted: boolean) => [
      ...goodHistory,
      { kind: "made" as const, device: "a", entry: entry("5") },
      { kind: "sent" as const, device: "a", request: "a.3", ids: ["5", "9"], mayBeParted }
    ]
    const feed = [...goodFeed, stored(5, "5")]
    expect(rulesBroken({ history: alone(false), feed })).toContain("whole requests")
    expect(rulesBroken({ history: alone(true), feed })).not.toContain("whole requests")
  })

  it("rejects an entry of a refused request", () => {
    const refused = (reason: string) => [
      ...goodHistory,
      { kind: "made" as const, device: "a", entry: entry("5") },
      { kind: "sent" as const, device: "a", request: "a.3", ids: ["5"] },
      { kind: "refused" as const, device: "a", request: "a.3", reason }
    ]
    const feed = [...goodFeed, stored(5, "5")]
    expect(rulesBroken({ history: refused("BadEntry"), feed })).toContain("refusals")
    expect(rulesBroken({ history: refused("InvalidRequest"), feed })).toContain("refusals")
    expect(rulesBroken({ history: refused("Unavailable"), feed })).not.toContain("refusals")
  })
})

it("rejects a refusal of what was not wrong", () => {
  const refused = (reason: string): ReadonlyArray<Happening> => [
    { kind: "sent", device: "a", request: "a.0", ids: ["1"] },
    { kind: "refused", device: "a", request: "a.0", reason },
    ...goodHistory
  ]
  expect(rulesBroken({ history: refused("Internal") })).toEqual(["refusals"])
  expect(rulesBroken({ history: refused("InvalidRequest") })).toContain("refusals")
  expect(rulesBroken({ history: refused("Unavailable") })).toEqual([])
  const full = { kind: "fault" as const, what: "a full disk", excuses: false, refuses: true }
  // 10 ms later, which is longer than it excuses, and at once.
  expect(rulesBroken({ history: [full, ...refused("Internal").slice(1)] })).toEqual(["refusals"])
  const given = evidence({ history: [full, ...refused("Internal")] })
  expect(judge({ ...given, rules: { ...given.rules, excuseMillis: 20 } })).toEqual([])
  expect(rulesBroken({ history: refused("NotMapped") })).toEqual([])
})

describe("deliveries", () => {
  it("rejects a gap, a repeat and another order", () => {
    expect(rulesBroken({ history: subscribedAt(0, placed(1, "1"), placed(3, "3")) })).toEqual(["deliveries"])
    expect(rulesBroken({ history: subscribedAt(2, placed(3, "3")) })).toEqual(["deliveries"])
    expect(rulesBroken({ history: subscribedAt(2, placed(2, "2"), placed(2, "2")) })).toEqual(["deliveries"])
    expect(rulesBroken({ history: subscribedAt(2, placed(3, "3"), placed(2, "2")) })).toEqual(["deliveries"])
  })

  it("rejects what lies before the cursor, and another entry at a sequence", () => {
    expect(rulesBroken({ history: subscribedAt(3, placed(2, "2"), placed(3, "3")) })).toEqual(["deliveries"])
    expect(rulesBroken({ history: subscribedAt(2, placed(2, "3")) })).toEqual(["deliveries"])
  })

  it("rejects a subscription that nobody asked for, and entries of another store", () => {
    const stray = { kind: "delivered" as const, device: "a", subscription: "y", entries: [placed(1, "1")] }
    expect(rulesBroken({ history: [...goodHistory, stray] })).toEqual(["deliveries"])
    const hostile = { ...deviceA, device: "h", publicKey: "key of h", store: undefined, mustConverge: false }
    const history: ReadonlyArray<Happening> = [
      ...goodHistory,
      { kind: "subscribed", device: "h", subscription: "h/1", from: 0 },
      { kind: "delivered", device: "h", subscription: "h/1", entries: [placed(1, "1")] }
    ]
    expect(rulesBroken({ history, devices: [deviceA, hostile] })).toEqual(["deliveries"])
  })

  it("rejects a journal with a gap between two connections", () => {
    const history = goodHistory.filter(
      (happening) => !(happening.kind === "kept" && happening.entries[0]?.sequence === 3)
    )
    expect(rulesBroken({ history })).toEqual(["journals"])
  })

  it("rejects a device that lacks an entry in the end, or could not send one", () => {
    expect(rulesBroken({ devices: [{ ...deviceA, journal: ["1", "2", "4"] }] })).toEqual(["convergence"])
    const history = [...goodHistory, { kind: "made" as const, device: "a", entry: entry("9") }]
    expect(rulesBroken({ history })).toEqual(["convergence"])
  })

  it("rejects a compaction that loses the last of a key", () => {
    const history = goodHistory.filter(
      (happening) => !(happening.kind === "kept" && happening.entries[0]?.sequence === 4)
    )
    expect(rulesBroken({ history, compacted: ["Added"] })).toEqual(["convergence"])
  })
})

describe("handlers", () => {
  it("rejects a run out of order, a lost one and one of an entry that isn't for handlers", () => {
    const early = instead(isHandled("2"), handled("3"), handled("2")).toSpliced(13, 1)
    expect(rulesBroken({ history: early })).toEqual(["handlers"])
    expect(rulesBroken({ history: instead(isHandled("3")) })).toEqual(["handlers"])
    expect(rulesBroken({ history: [...goodHistory, handled("4")] })).toEqual(["handlers"])
  })

  it("rejects a repeat without a crash", () => {
    expect(rulesBroken({ history: instead(isHandled("3"), handled("3"), handled("3")) })).toEqual(["handlers"])
    const graceful = [handled("3"), fault(false), handled("3", [], "m")]
    expect(rulesBroken({ history: instead(isHandled("3"), ...graceful) })).toEqual(["handlers"])
    const before = [fault(true), handled("1", [], "m"), handled("2"), handled("3"), handled("3")]
    expect(rulesBroken({ history: instead(isHandled("2"), ...before) })).toEqual(["handlers"])
  })

  it("rejects other conflicts than the earlier entries with greater ids", () => {
    const feed = [stored(1, "3"), stored(2, "1"), stored(3, "2"), goodFeed[3]!]
    const runs = (first: ReadonlyArray<string>, second: ReadonlyArray<string>) => {
      const history = goodHistory.filter(({ kind }) => kind === "made" || kind === "ordered")
      const given = [...history, handled("3"), handled("1", first), handled("2", second)]
      return rulesBroken({ history: given, feed, devices: [{ ...deviceA, mustConverge: false }] })
    }
    expect(runs(["3"], ["3"])).toEqual([])
    expect(runs([], ["3"])).toEqual(["handlers"])
    expect(runs(["3"], ["1", "3"])).toEqual(["handlers"])
  })

  it("rejects a failure that the handler did not ask for", () => {
    const failed = { kind: "failed" as const, store: "s", run: "n", id: "3", reason: "Failed", why: "no database" }
    expect(rulesBroken({ history: [...goodHistory, failed] })).toEqual(["handlers"])
    const late = { ...failed, reason: "TimedOut" }
    expect(rulesBroken({ history: [...goodHistory, late, discarded("3")], projection: ["1", "2"] })).toEqual([])
    expect(rulesBroken({ history: [...goodHistory, late], projection: ["1", "2"] })).toEqual(["projections"])
    expect(rulesBroken({ history: [...goodHistory, { ...late, id: "2" }], projection: ["1", "2"] })).toEqual([
      "projections"
    ])
    const failing = entry("5", { event: "Failed" })
    const history: ReadonlyArray<Happening> = [
      ...goodHistory,
      { kind: "made", device: "a", entry: failing },
      { ...failed, id: "5" }
    ]
    const devices = [{ ...deviceA, mustConverge: false }]
    expect(rulesBroken({ history, feed: [...goodFeed, stored(5, "5", { entry: failing })], devices })).toEqual([])
  })

  it("accepts an entry that fails, and is handled behind others", () => {
    const history = [...instead(isHandled("2"), flunked("2")), handled("2")]
    expect(rulesBroken({ history })).toEqual([])
    expect(rulesBroken({ history, projection: ["1", "3", "2"] })).toEqual([])
  })

  it("accepts handlers that see a store again behind a reset, and rejects an entry that they don't see", () => {
    const reset = { kind: "reset" as const, store: "s", run: "n" }
    const again = [handled("1"), handled("2"), handled("3")]
    expect(rulesBroken({ history: [...goodHistory, reset, ...again] })).toEqual([])
    expect(rulesBroken({ history: [...goodHistory, reset, ...again.slice(0, 2)] })).toEqual(["handlers"])
    expect(rulesBroken({ history: [...goodHistory, reset, ...again, handled("2")] })).toEqual(["handlers"])
  })

  it("rejects an entry that fails, and isn't heard of again", () => {
    const history = instead(isHandled("2"), flunked("2"))
    expect(rulesBroken({ history })).toEqual(["handlers"])
    expect(rulesBroken({ history: [...history, discarded("2")] })).toEqual([])
    expect(rulesBroken({ history, failures: ["2"] })).toEqual(["failures"])
    for (const projection of [
      ["1", "3"],
      ["1", "3", "2", "2"]
    ]) {
      expect(rulesBroken({ history: [...goodHistory, flunked("2")], projection })).toEqual(["projections"])
    }
  })

  it("rejects an entry that always fails, and isn't kept", () => {
    const failing = entry("5", { event: "Failed" })
    const given = evidence({
      history: [...goodHistory, { kind: "made", device: "a", entry: failing }, handled("5"), flunked("5")],
      feed: [...goodFeed, stored(5, "5", { entry: failing })],
      devices: [{ ...deviceA, mustConverge: false }]
    })
    const rules = { ...given.rules, handledEvents: new Set(["Added", "Failed"]) }
    expect(judge({ ...given, rules }).map(({ rule }) => rule)).toEqual(["failures"])
    const kept = { ...given.outcome, failures: new Map([["s", ["5"]]]) }
    expect(judge({ ...given, rules, outcome: kept })).toEqual([])
  })

  it("accepts handlers that run again where their projection tells that they were rolled back", () => {
    const again = [handled("3"), handled("2"), handled("3")]
    expect(rulesBroken({ history: instead(isHandled("3"), ...again), projection: ["1", "2", "3"] })).toEqual([])
    const early = [handled("3"), handled("2")]
    expect(rulesBroken({ history: instead(isHandled("2"), ...early), projection: ["1", "2", "3"] })).toEqual([
      "handlers"
    ])
  })

  it("rejects a projection that differs from a replay", () => {
    for (const projection of [
      ["1", "2"],
      ["1", "2", "2", "3"],
      ["2", "1", "3"],
      ["1", "2", "3", "4"]
    ]) {
      expect(rulesBroken({ projection })).toEqual(["projections"])
    }
  })
})

it("rejects a server that outgrew its bound", () => {
  const measured = { kind: "measured" as const, run: "n", bytes: 1_001 }
  expect(rulesBroken({ history: [...goodHistory, measured] })).toEqual(["memory"])
})

it("rejects a server that ended by itself", () => {
  expect(rulesBroken({ history: [...goodHistory, { kind: "died", run: "n", why: "code 1" }] })).toEqual(["crashes"])
})

it("tells how a violation came about: the entry's story, and the faults in between", () => {
  const history = goodHistory.toSpliced(6, 0, fault(true))
  const given = evidence({ history, feed: goodFeed.slice(0, 2) })
  const violation = judge(given).find(({ message }) => message.includes("Entry 3"))!
  const kinds = excerpt(given.history, violation).map((line) => line.split(/\s+/)[3])
  expect(kinds).toEqual(["made", "fault", "sent", "acked", "handled", "delivered", "kept"])
  const early = excerpt(given.history, { ...violation, about: ["1"] }).map((line) => line.split(/\s+/)[3])
  expect(early).toEqual(["made", "sent", "acked", "handled", "fault", "delivered", "kept"])
})
