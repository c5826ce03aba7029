import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Crowd } from "./devices/crowd.ts"
import { faultsFor, type Stage } from "./faults/faults.ts"
import { makeSchedule } from "./faults/schedule.ts"
import { Fleet } from "./fleet.ts"
import { machineTime } from "./machineTime.ts"
import type { Evidence, Outcome, Recorded, StoredEntry } from "./oracle/history.ts"
import { makeRandom } from "./random.ts"
import { Recorder } from "./recorder.ts"
import { failingEvents, handledEvents, noteEvents } from "./schema.ts"
import type { HandlerLine } from "./server/commands.ts"
import type { OpenStorage } from "./storages/storage.ts"

/** What a run is made of. */
export interface TortureOptions {
  readonly storage: string
  readonly open: OpenStorage
  readonly seed: number
  readonly seconds: number
  readonly devices: number
  readonly servers: number
  /** Whether handlers share the cursor's transaction, where the storage has transactions. */
  readonly isTransactional: boolean
  /** Seconds that everything may take to come to rest: enough for a machine that is busy with more. */
  readonly patience: number
  /** The program that every server runs. */
  readonly serverScript: string
  /** An empty folder for the storage and the handler log. */
  readonly folder: string
  readonly say: (line: string) => void
}

const pause = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

/** Carries a schedule out; answers how many faults there were of each name. */
const breakThings = async (stage: Stage, { seconds, seed }: TortureOptions): Promise<ReadonlyMap<string, number>> => {
  const faults = faultsFor(stage)
  const counts = new Map<string, number>()
  const running = new Set<Promise<unknown>>()
  const start = performance.now()
  for (const planned of makeSchedule(seed, seconds * 1_000, faults)) {
    await pause(start + planned.at - performance.now())
    const fault = faults.find(({ name }) => name === planned.name)
    const done = Promise.resolve(fault?.run(stage, planned)).then((isDone) => {
      running.delete(done)
      if (isDone !== false) counts.set(planned.name, (counts.get(planned.name) ?? 0) + 1)
    })
    running.add(done)
  }
  await Promise.all(running)
  return counts
}

/** Asks a server until it answers: one may just be gone, or its storage. */
const insist = async <A>(
  stage: Stage,
  ask: (server: NonNullable<ReturnType<Fleet["server"]>>) => Promise<A>
): Promise<A> => {
  for (let index = 0; ; index++) {
    const server = stage.fleet.server(index)
    if (server !== undefined) {
      try {
        return await ask(server)
      } catch {}
    }
    await pause(100)
  }
}

const readFeeds = async (stage: Stage): Promise<ReadonlyMap<string, ReadonlyArray<StoredEntry>>> => {
  const feeds = new Map<string, ReadonlyArray<StoredEntry>>()
  for (const store of stage.crowd.stores) feeds.set(store, await insist(stage, (server) => server.call("read", store)))
  return feeds
}

/** Waits until every device has everything and everything was handled, or until patience is at its end. */
const comeToRest = async (stage: Stage, { patience, say }: TortureOptions): Promise<void> => {
  await stage.fleet.settle()
  await stage.crowd.settle()
  const end = performance.now() + patience * 1_000
  while (performance.now() < end) {
    await stage.crowd.wake()
    const feeds = await readFeeds(stage)
    if ((await stage.crowd.unsynced(feeds)).length > 0) {
      await pause(250)
      continue
    }
    const unhandled = new Set(feeds.keys())
    const handled = Array.from(feeds, ([storeId, feed]) =>
      insist(stage, (server) => server.call("processed", { storeId, sequence: feed.length })).then(() =>
        unhandled.delete(storeId)
      )
    )
    await Promise.race([Promise.all(handled), pause(patience * 1_000)])
    for (const storeId of unhandled) say(`${storeId} was not handled up to its head, ${feeds.get(storeId)?.length}`)
    // What nobody asked for would come now.
    return pause(500)
  }
  const unsynced = await stage.crowd.unsynced(await readFeeds(stage))
  const states = await Promise.all(unsynced.map((device) => device.describe()))
  say(`not at rest after ${patience} s: ${states.join(", ")}`)
}

/** Has everything tried again that failed, but for what always does, until nothing of it is left or patience is at its end. */
const retryAll = async (stage: Stage, { patience, say }: TortureOptions): Promise<void> => {
  const end = performance.now() + patience * 1_000
  while (true) {
    const kept = await insist(stage, (server) => server.call("failures"))
    const left = kept.filter(({ event }) => !failingEvents.has(event))
    if (left.length === 0) return
    if (performance.now() > end) return say(`${left.length} failures are left`)
    for (const { id, sequence, storeId } of left) {
      stage.recorder.record({ kind: "retried", store: storeId, id })
      await insist(stage, (server) => server.call("retry", { storeId, sequence }))
    }
    await pause(1_000)
  }
}

const outcomeOf = async (stage: Stage): Promise<Outcome> => {
  const projections = new Map<string, ReadonlyArray<string>>()
  for (const store of stage.crowd.stores) {
    const projection = await insist(stage, (server) => server.call("projection", store))
    if (projection !== undefined) projections.set(store, projection)
  }
  const kept = await insist(stage, (server) => server.call("failures"))
  const failures = new Map(
    stage.crowd.stores.map((store) => [store, kept.filter(({ storeId }) => storeId === store).map(({ id }) => id)])
  )
  return { failures, feeds: await readFeeds(stage), devices: await stage.crowd.finals(), projections }
}

const happeningOf = ({ conflicts, failure, flunked, id, reset, run, store }: HandlerLine, at: number): Recorded => {
  if (reset) return { kind: "reset", store, run, at }
  if (failure !== undefined) return { kind: "failed", store, run, id, ...failure, at }
  return flunked ? { kind: "flunked", store, run, id, at } : { kind: "handled", store, run, id, conflicts, at }
}

/**
 * What the handlers wrote down, in the order in which they ran. The handler of a line that a kill cut off had not begun.
 */
const readHandlerLog = (file: string, since: number): ReadonlyArray<Recorded> =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.endsWith("}"))
    .map((line) => JSON.parse(line) as HandlerLine)
    .map((line) => happeningOf(line, line.time - since))

/** One history of both. Lines of the log keep their order among themselves, whatever their times say. */
const merge = (history: ReadonlyArray<Recorded>, handled: ReadonlyArray<Recorded>): ReadonlyArray<Recorded> => {
  const merged: Array<Recorded> = []
  let next = 0
  for (const happening of history) {
    while (next < handled.length && handled[next]!.at < happening.at) merged.push(handled[next++]!)
    merged.push(happening)
  }
  return [...merged, ...handled.slice(next)]
}

/** What a run left behind. */
export interface Tortured {
  readonly evidence: Evidence
  /** How many faults there were, by their names. */
  readonly faults: ReadonlyMap<string, number>
}

/** Runs the system through a bad week, and answers what was seen. */
export const torture = async (options: TortureOptions): Promise<Tortured> => {
  const { folder, say } = options
  const since = machineTime()
  const recorder = new Recorder(() => machineTime() - since)
  const storage = await options.open(folder)
  const handlerLog = join(folder, "handlers.log")
  const fleet = new Fleet({
    script: options.serverScript,
    size: storage.isDurable ? options.servers : 1,
    storage: { storage: options.storage, address: storage.address, isTransactional: options.isTransactional },
    isDurable: storage.isDurable,
    handlerLog,
    recorder
  })
  try {
    await fleet.start()
    const crowd = await Crowd.make({ fleet, recorder, random: makeRandom(options.seed), size: options.devices })
    const stage: Stage = { fleet, crowd, storage, recorder }
    await crowd.start()
    say(`${options.devices} devices in ${crowd.stores.length} stores, ${fleet.size} servers`)
    const measuring = setInterval(() => void fleet.measure(), 1_000)
    const [faults] = await Promise.all([
      breakThings(stage, options),
      crowd.live(performance.now() + options.seconds * 1_000)
    ])
    say("the faults are over")
    await comeToRest(stage, options)
    // A node that rests doesn't know yet that a store is to be rebuilt that another one was asked for.
    await pause(4_000)
    await comeToRest(stage, options)
    await retryAll(stage, options)
    clearInterval(measuring)
    const outcome = await outcomeOf(stage)
    await crowd.close()
    const history = merge(recorder.history, readHandlerLog(handlerLog, since))
    return { evidence: { history, outcome, rules: { ...rules, rollsBack: outcome.projections.size > 0 } }, faults }
  } finally {
    await fleet.close()
    await storage.close()
  }
}

const rules: Omit<Evidence["rules"], "rollsBack"> = {
  handledEvents,
  failingEvents,
  compactedEvents: noteEvents,
  maxConflicts: 10_000,
  // A server that was cut off from its storage finds out when it next moves its cursor.
  excuseMillis: 15_000,
  maxServerBytes: 1024 ** 3
}
