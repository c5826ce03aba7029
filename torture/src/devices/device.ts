import { type Client, EventLogClient, generateIdentity } from "@eventlog-server/core/client"
import { Context, Effect, Exit, Layer, Logger, Scope } from "effect"
import { EventJournal, EventLog } from "effect/eventlog"
import type { FinalDevice } from "../oracle/history.ts"
import type { Recorder } from "../recorder.ts"
import { deviceSchema, Facts, Notes, Secrets } from "../schema.ts"
import { idOf } from "../seen.ts"
import { tapJournal } from "./journalTap.ts"
import { tappedWebSocket } from "./wireTap.ts"

type Journal = EventJournal.EventJournal["Service"]
type Identity = EventLog.Identity["Service"]

/** What a device is given. */
export interface DeviceOptions {
  readonly name: string
  readonly store: string
  /** How far its clock is ahead, in milliseconds. */
  readonly clockOffset: number
  readonly recorder: Recorder
  /** Where to connect to, asked each time. */
  readonly url: () => string
}

/** The events that a device writes. */
export type DeviceEvent = "Added" | "Changed" | "Failed" | "Hung" | "Noted" | "Whispered"

const ignore = () => Effect.void

const handlers = Layer.mergeAll(
  EventLog.group(Facts, (group) =>
    group.handle("Added", ignore).handle("Changed", ignore).handle("Failed", ignore).handle("Hung", ignore)
  ),
  EventLog.group(Notes, (group) => group.handle("Noted", ignore)),
  EventLog.group(Secrets, (group) => group.handle("Whispered", ignore))
)

/** An app on effect's `EventLog`, with a journal that outlives it. */
interface App {
  readonly scope: Scope.Closeable
  readonly log: EventLog.EventLog["Service"]
  readonly client: Client
}

/** A device: its disk, and the app on it, which is open or closed. */
export class Device {
  readonly name: string
  readonly store: string
  readonly publicKey: string
  private readonly options: DeviceOptions
  private readonly journal: Journal
  private readonly identity: Identity
  private readonly webSocket: ReturnType<typeof tappedWebSocket>
  private app: App | undefined

  private constructor(options: DeviceOptions, journal: Journal, identity: Identity) {
    this.options = options
    this.name = options.name
    this.store = options.store
    this.publicKey = identity.publicKey
    this.journal = tapJournal(options.name, journal, options.clockOffset, options.recorder)
    this.identity = identity
    this.webSocket = tappedWebSocket(options.name, options.recorder)
  }

  static async make(options: DeviceOptions): Promise<Device> {
    const journal = await Effect.runPromise(EventJournal.makeMemory)
    return new Device(options, journal, await Effect.runPromise(generateIdentity))
  }

  get isOpen(): boolean {
    return this.app !== undefined
  }

  /** Starts the app. */
  async open(): Promise<void> {
    if (this.app !== undefined) return
    const scope = Scope.makeUnsafe()
    const layer = EventLogClient.layer({
      url: this.options.url,
      WebSocket: this.webSocket,
      backoffMinimum: 50,
      backoffMaximum: 1_000,
      stableAfter: 500,
      connectTimeout: 4_000,
      pingInterval: 1_500,
      pingTimeout: 1_500,
      closeTimeout: 200
    }).pipe(
      Layer.provideMerge(EventLog.layer(deviceSchema, handlers)),
      Layer.provide([
        Layer.succeed(EventJournal.EventJournal, this.journal),
        Layer.succeed(EventLog.Identity, this.identity)
      ]),
      Layer.provideMerge(Logger.layer([]))
    )
    const context = await Effect.runPromise(Layer.buildWithScope(layer, scope))
    this.app = { scope, log: Context.get(context, EventLog.EventLog), client: Context.get(context, EventLogClient) }
  }

  /** Ends the app; what it did not send stays in its journal. */
  async close(): Promise<void> {
    const app = this.app
    if (app === undefined) return
    this.app = undefined
    await Effect.runPromise(Scope.close(app.scope, Exit.void))
  }

  /** Writes some events of one key; does nothing while the app is closed. */
  async write(event: DeviceEvent, key: string, texts: ReadonlyArray<string>): Promise<void> {
    const log = this.app?.log
    if (log === undefined) return
    const events = texts.map((text) => ({ event, payload: { key, text } }))
    await Effect.runPromise(
      log.writeMany({ schema: deviceSchema, events: events as [(typeof events)[0], ...typeof events] })
    )
  }

  /** Doesn't wait any longer before it connects again. */
  async wake(): Promise<void> {
    if (this.app !== undefined) await Effect.runPromise(this.app.client.reconnect)
  }

  /** Whether nothing waits to be sent, and everything up to `head` was received. */
  isSynced(head: number): boolean {
    const status = this.app?.client.status()
    return status !== undefined && status.pendingWrites === 0 && status.cursor >= head
  }

  /** How far it is, for a report. */
  describe(): string {
    const status = this.app?.client.status()
    if (status === undefined) return `${this.name} (closed)`
    const { connection, cursor, lastError, pendingWrites } = status
    return `${this.name} (${connection}, ${pendingWrites} pending, cursor ${cursor}, last error: ${lastError ?? "none"})`
  }

  /** The device at the end. */
  async final(): Promise<FinalDevice> {
    const entries = await Effect.runPromise(Effect.orDie(this.journal.entries))
    return {
      device: this.name,
      publicKey: this.publicKey,
      store: this.store,
      mustConverge: true,
      journal: entries.map((entry) => idOf(entry.id))
    }
  }
}
