import type { Crowd } from "../devices/crowd.ts"
import type { Fleet } from "../fleet.ts"
import type { Recorder } from "../recorder.ts"
import { failingEvents } from "../schema.ts"
import type { Storage } from "../storages/storage.ts"
import type { FaultKind, Planned } from "./schedule.ts"

/** What faults are done to. */
export interface Stage {
  readonly fleet: Fleet
  readonly crowd: Crowd
  readonly storage: Storage
  readonly recorder: Recorder
}

/** A fault that can be done. */
interface Fault extends FaultKind {
  /** Servers have to outlive it. */
  readonly needsDurable?: boolean
  /** The storage must be one that can be full. */
  readonly needsRoom?: boolean
  /** Does it, and answers whether it could be done just now. */
  readonly run: (stage: Stage, planned: Planned) => boolean | Promise<boolean>
}

const hour = 3_600_000

const indexOf = (whom: number): number => Math.floor(whom * 1_000)
const clockOffset = (force: number): number => Math.round((force - 0.5) * 4 * hour)

const note = ({ recorder }: Stage, what: string, excuses = false): void =>
  recorder.record({ kind: "fault", what, excuses })

const networkFaults: ReadonlyArray<Fault> = [
  {
    name: "cut",
    weight: 16,
    run: (stage, { force, whom }) => {
      note(stage, `cut of connections to server ${indexOf(whom) % stage.fleet.size}`)
      stage.fleet.proxy(indexOf(whom)).cut(force < 0.2 ? 1 : force / 3)
      return true
    }
  },
  {
    name: "half-open",
    weight: 8,
    run: (stage, { force, whom }) => {
      note(stage, `half-open connections to server ${indexOf(whom) % stage.fleet.size}`)
      stage.fleet.proxy(indexOf(whom)).silence(force / 2, 2_000 + force * 10_000)
      return true
    }
  },
  {
    name: "delay",
    weight: 6,
    run: (stage, { force, whom }) => {
      note(stage, `delay to server ${indexOf(whom) % stage.fleet.size}`)
      const proxy = stage.fleet.proxy(indexOf(whom))
      proxy.setDelay(force < 0.5 ? 0 : force * 80)
      return true
    }
  }
]

const deviceFaults: ReadonlyArray<Fault> = [
  { name: "offline", weight: 10, run: ({ crowd }, { force, whom }) => crowd.restart(indexOf(whom), force * 4_000) },
  { name: "remove", weight: 4, run: ({ crowd }, { force, whom }) => crowd.remove(indexOf(whom), force * 3_000) },
  { name: "disconnect", weight: 3, run: ({ crowd }, { whom }) => crowd.disconnect(indexOf(whom)) },
  {
    name: "server write",
    weight: 12,
    run: ({ crowd }, { force, whom }) => crowd.serverWrite(indexOf(whom), force < 0.3)
  },
  { name: "attack", weight: 10, run: ({ crowd }, { whom }) => crowd.attack(indexOf(whom)) }
]

const serverFaults: ReadonlyArray<Fault> = [
  {
    name: "kill",
    weight: 8,
    needsDurable: true,
    run: ({ fleet }, { force, whom }) => fleet.kill(indexOf(whom), force * 1_500)
  },
  {
    name: "freeze",
    weight: 2,
    needsDurable: true,
    run: ({ fleet }, { force, whom }) => fleet.freeze(indexOf(whom), force * 9_000)
  },
  {
    name: "full disk",
    weight: 5,
    needsRoom: true,
    run: ({ fleet }, { force, whom }) => fleet.fill(indexOf(whom), force * 2_000)
  },
  {
    name: "deploy",
    weight: 2,
    run: ({ fleet }, { force, whom }) => fleet.deploy(indexOf(whom), clockOffset(force))
  },
  {
    name: "clock step",
    weight: 3,
    run: ({ fleet }, { force, whom }) => fleet.stepClock(indexOf(whom), clockOffset(force))
  }
]

/** What operators do about entries that failed. */
const operatorFaults: ReadonlyArray<Fault> = [
  {
    name: "retry",
    weight: 4,
    run: async ({ fleet }, { whom }) => {
      const server = fleet.server(indexOf(whom))
      if (server === undefined) return false
      return server.call("retry").then(
        () => true,
        () => false
      )
    }
  },
  {
    name: "rebuild",
    weight: 1,
    run: async ({ crowd, fleet }, { force, whom }) => {
      const store = crowd.stores[Math.floor(force * crowd.stores.length)]
      const server = fleet.server(indexOf(whom))
      if (server === undefined || store === undefined) return false
      return server.call("reprocess", store).then(
        () => true,
        () => false
      )
    }
  },
  {
    name: "discard",
    weight: 2,
    run: async ({ fleet, recorder }, { whom }) => {
      const server = fleet.server(indexOf(whom))
      const kept = await server?.call("failures").catch(() => undefined)
      const failure = kept?.find(({ event }) => failingEvents.has(event))
      if (server === undefined || failure === undefined) return false
      const { id, sequence, storeId } = failure
      // It may be done though nobody says so.
      recorder.record({ kind: "discarded", store: storeId, id })
      return server.call("discard", { storeId, sequence }).then(
        () => true,
        () => false
      )
    }
  }
]

/** What is done to the storage, one at a time. */
const storageFaults = ({ storage }: Stage): ReadonlyArray<Fault> => {
  let isBusy = false
  return storage.faults.map(({ excuses, name, run, weight }) => ({
    name,
    weight,
    run: async (stage, { force }) => {
      if (isBusy) return false
      isBusy = true
      note(stage, name, excuses)
      await run(force)
      note(stage, `${name} is over`, excuses)
      isBusy = false
      return true
    }
  }))
}

/** The faults that a stage can bear. */
export const faultsFor = (stage: Stage): ReadonlyArray<Fault> =>
  [...networkFaults, ...deviceFaults, ...serverFaults, ...operatorFaults, ...storageFaults(stage)].filter(
    ({ needsDurable, needsRoom }) =>
      (needsDurable !== true || stage.storage.isDurable) && (needsRoom !== true || stage.storage.canBeFull === true)
  )
