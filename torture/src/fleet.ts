import { freePort, TcpProxy } from "@eventlog-server/testkit/network"
import type { Recorder } from "./recorder.ts"
import type { Settings } from "./server/commands.ts"
import { ServerProcess } from "./serverProcess.ts"

/** What the servers of a run have in common. */
export interface FleetOptions {
  readonly script: string
  readonly size: number
  readonly storage: Pick<Settings, "storage" | "address" | "isTransactional">
  /** Whether a server can end without taking what it stored with it. */
  readonly isDurable: boolean
  readonly handlerLog: string
  readonly recorder: Recorder
}

/** A place for a server behind a proxy, whichever process fills it. */
interface Slot {
  readonly name: string
  readonly port: number
  readonly proxy: TcpProxy
  server: ServerProcess | undefined
  /** While something is done to it, nothing else is. */
  isBusy: boolean
  lives: number
  clockOffset: number
}

/** The servers of a run: started, killed, stopped, frozen and deployed anew, each behind its proxy. */
export class Fleet {
  private readonly options: FleetOptions
  private readonly slots: Array<Slot> = []
  private readonly work = new Set<Promise<unknown>>()

  constructor(options: FleetOptions) {
    this.options = options
  }

  async start(): Promise<void> {
    for (let index = 0; index < this.options.size; index++) {
      const port = await freePort()
      const proxy = await TcpProxy.open({ port })
      const name = `server ${index + 1}`
      this.slots.push({ name, port, proxy, server: undefined, isBusy: false, lives: 0, clockOffset: 0 })
    }
    await Promise.all(this.slots.map((slot) => this.open(slot)))
  }

  get size(): number {
    return this.slots.length
  }

  proxy(index: number): TcpProxy {
    return this.slots[index % this.slots.length]!.proxy
  }

  /** A server that runs, from `index` on; `undefined` while none does. */
  server(index = 0): ServerProcess | undefined {
    const servers = this.slots.flatMap(({ isBusy, server }) => (server === undefined || isBusy ? [] : [server]))
    return servers[index % Math.max(1, servers.length)]
  }

  /** Kills a server, and starts it again after a while. `false` when it could not be done. */
  kill(index: number, downMillis: number): boolean {
    return this.change(index, async (slot, server) => {
      this.options.recorder.record({ kind: "fault", what: `kill -9 of ${server.run}`, excuses: true })
      slot.server = undefined
      await server.kill()
      await pause(downMillis)
      await this.open(slot)
    })
  }

  /** Replaces a server by a new one, as a deploy does: writes in flight are answered, clients come back. */
  deploy(index: number, clockOffset: number): boolean {
    return this.change(index, async (slot, server) => {
      this.options.recorder.record({ kind: "fault", what: `deploy of ${server.run}`, excuses: false })
      slot.clockOffset = clockOffset
      if (!this.options.isDurable) {
        await server.call("redeploy")
        return server.call("shiftClock", clockOffset)
      }
      slot.server = undefined
      await server.stop()
      await this.open(slot)
    })
  }

  /** Freezes a server for a while: it may lose its leases without knowing. */
  freeze(index: number, millis: number): boolean {
    return this.change(index, async (_, server) => {
      const { record } = this.options.recorder
      record({ kind: "fault", what: `SIGSTOP of ${server.run}`, excuses: true })
      server.freeze(true)
      await pause(millis)
      record({ kind: "fault", what: `SIGCONT of ${server.run}`, excuses: true })
      server.freeze(false)
    })
  }

  /** Lets a server find its storage full for a while. */
  fill(index: number, millis: number): boolean {
    return this.change(index, async (_, server) => {
      this.options.recorder.record({
        kind: "fault",
        what: `${server.run} finds its storage full`,
        excuses: true,
        refuses: true
      })
      await server.call("setFull", true)
      await pause(millis)
      await server.call("setFull", false)
    })
  }

  /** Steps the clock of a running server. */
  stepClock(index: number, clockOffset: number): boolean {
    return this.change(index, async (slot, server) => {
      this.options.recorder.record({ kind: "fault", what: `${server.run} steps to ${clockOffset} ms`, excuses: false })
      slot.clockOffset = clockOffset
      await server.call("shiftClock", clockOffset)
    })
  }

  /** Asks every server how much memory it has. */
  async measure(): Promise<void> {
    for (const { isBusy, server } of this.slots) {
      if (server === undefined || isBusy) continue
      const bytes = await server.call("memory").catch(() => undefined)
      if (bytes !== undefined) this.options.recorder.record({ kind: "measured", run: server.run, bytes })
    }
  }

  /** Waits until every server runs again. */
  async settle(): Promise<void> {
    while (this.work.size > 0) await Promise.all(this.work)
    for (const { proxy } of this.slots) proxy.setDelay(0)
  }

  async close(): Promise<void> {
    await Promise.all(this.work)
    await Promise.all(this.slots.map(({ server }) => server?.kill()))
    await Promise.all(this.slots.map(({ proxy }) => proxy.close()))
  }

  private change(index: number, work: (slot: Slot, server: ServerProcess) => Promise<void>): boolean {
    const slot = this.slots[index % this.slots.length]!
    const { server } = slot
    if (slot.isBusy || server === undefined) return false
    slot.isBusy = true
    const done = work(slot, server)
      // A server that ended meanwhile was told to, or is reported as dead.
      .catch(() => {})
      .finally(() => {
        slot.isBusy = false
        this.work.delete(done)
      })
    this.work.add(done)
    return true
  }

  private async open(slot: Slot): Promise<void> {
    const { handlerLog, recorder, script, storage } = this.options
    const run = `${slot.name}, life ${++slot.lives}`
    const settings = { ...storage, port: slot.port, run, clockOffset: slot.clockOffset, handlerLog }
    slot.server = await ServerProcess.start(script, settings, (why) => {
      recorder.record({ kind: "died", run, why })
      slot.server = undefined
    })
  }
}

const pause = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))
