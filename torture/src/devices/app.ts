import { Effect, Layer } from "effect"
import { EventJournal, EventLog } from "effect/eventlog"
import type { Recorder } from "../recorder.ts"
import { deviceSchema, Facts, Notes, Secrets } from "../schema.ts"

/** What an app finds on its device. */
export interface Disk {
  readonly journal: EventJournal.EventJournal["Service"]
  readonly identity: EventLog.Identity["Service"]
}

/** What an app is made with. */
export interface AppOptions {
  /** The device's name. */
  readonly device: string
  readonly disk: Disk
  readonly recorder: Recorder
  /** Where to connect to, asked each time. @param path that of the protocol, behind the server's */
  readonly url: (path: string) => string
}

/** An app that runs, on one client or the other. */
export interface App {
  readonly log: EventLog.EventLog["Service"]
  /** Doesn't wait any longer before it connects again. */
  readonly wake: () => Promise<void>
  /** Whether nothing waits to be sent, and everything up to `head` was received. */
  readonly isSynced: (head: number) => Promise<boolean>
  /** How far it is, for a report. */
  readonly describe: () => Promise<string>
  /** Ends it; what it did not send stays in the journal. */
  readonly close: () => Promise<void>
}

/** Installs an app on a device. What it answers opens it, again and again. */
export type InstallApp = (options: AppOptions) => () => Promise<App>

const ignore = () => Effect.void

const handlers = Layer.mergeAll(
  EventLog.group(Facts, (group) =>
    group.handle("Added", ignore).handle("Changed", ignore).handle("Failed", ignore).handle("Hung", ignore)
  ),
  EventLog.group(Notes, (group) => group.handle("Noted", ignore)),
  EventLog.group(Secrets, (group) => group.handle("Whispered", ignore))
)

/** effect's `EventLog` on a device's disk. */
export const layerEventLog = ({ identity, journal }: Disk) =>
  EventLog.layer(deviceSchema, handlers).pipe(
    Layer.provide([Layer.succeed(EventJournal.EventJournal, journal), Layer.succeed(EventLog.Identity, identity)])
  )
