import { generateIdentity } from "@eventlog-server/core/client"
import { Effect } from "effect"
import { EventJournal } from "effect/eventlog"
import type { FinalDevice } from "../oracle/history.ts"
import type { Recorder } from "../recorder.ts"
import { deviceSchema } from "../schema.ts"
import { idOf } from "../seen.ts"
import type { App, Disk, InstallApp } from "./app.ts"
import { tapJournal } from "./journalTap.ts"

/** What a device is given. */
export interface DeviceOptions {
  readonly name: string
  readonly store: string
  readonly install: InstallApp
  /** How far its clock is ahead, in milliseconds. */
  readonly clockOffset: number
  readonly recorder: Recorder
  /** Where to connect to, asked each time. @param path that of the protocol, behind the server's */
  readonly url: (path: string) => string
}

/** The events that a device writes. */
export type DeviceEvent = "Added" | "Changed" | "Failed" | "Hung" | "Noted" | "Whispered"

/** A device: its disk, and the app on it, which is open or closed. */
export class Device {
  readonly name: string
  readonly store: string
  readonly publicKey: string
  private readonly disk: Disk
  private readonly openApp: () => Promise<App>
  private app: App | undefined

  private constructor(
    { clockOffset, install, name, recorder, store, url }: DeviceOptions,
    { identity, journal }: Disk
  ) {
    this.name = name
    this.store = store
    this.publicKey = identity.publicKey
    this.disk = { identity, journal: tapJournal(name, journal, clockOffset, recorder) }
    this.openApp = install({ device: name, disk: this.disk, recorder, url })
  }

  static async make(options: DeviceOptions): Promise<Device> {
    const journal = await Effect.runPromise(EventJournal.makeMemory)
    return new Device(options, { journal, identity: await Effect.runPromise(generateIdentity) })
  }

  /** Starts the app. */
  async open(): Promise<void> {
    this.app ??= await this.openApp()
  }

  /** Ends the app; what it did not send stays in its journal. */
  async close(): Promise<void> {
    const app = this.app
    this.app = undefined
    await app?.close()
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
    await this.app?.wake()
  }

  /** Whether nothing waits to be sent, and everything up to `head` was received. */
  async isSynced(head: number): Promise<boolean> {
    return (await this.app?.isSynced(head)) ?? false
  }

  /** How far it is, for a report. */
  async describe(): Promise<string> {
    return `${this.name} (${(await this.app?.describe()) ?? "closed"})`
  }

  /** The device at the end. */
  async final(): Promise<FinalDevice> {
    const entries = await Effect.runPromise(Effect.orDie(this.disk.journal.entries))
    return {
      device: this.name,
      publicKey: this.publicKey,
      store: this.store,
      mustConverge: true,
      journal: entries.map((entry) => idOf(entry.id))
    }
  }
}
