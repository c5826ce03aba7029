import { Duration } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { RemoteRefusal } from "./errors.ts"

/** Entries that the server will never take, and why. */
export interface Rejection {
  readonly entries: ReadonlyArray<EventJournal.Entry>
  readonly refusal: RemoteRefusal
}

/** What every client can be told, whatever its socket. All durations are `Duration.Input`; numbers are milliseconds. */
export interface ClientOptions {
  /**
   * `"required"` proves the identity's signing key whenever the server asks for it. `"off"` never does, for servers
   * that trust their network.
   * @default "required"
   */
  readonly sessionAuth?: "required" | "off" | undefined
  /** The window of the first wait before connecting again; the wait is a random part of it. @default 250 ms */
  readonly backoffMinimum?: Duration.Input | undefined
  /** The longest such window; it doubles with each failure up to here. @default 30 s */
  readonly backoffMaximum?: Duration.Input | undefined
  /** How long a connection must have lived for the window to start over. @default 10 s */
  readonly stableAfter?: Duration.Input | undefined
  /** How long it may take to get a url, open the socket and hear the server's `Hello`. @default 15 s */
  readonly connectTimeout?: Duration.Input | undefined
  /** After this long without a frame from the server it is asked whether it is there. @default 20 s */
  readonly pingInterval?: Duration.Input | undefined
  /** How long it may take to answer; then the connection counts as dead. @default 10 s */
  readonly pingTimeout?: Duration.Input | undefined
  /** How long closing waits for the last writes to be acked, when there is a connection. @default 2 s */
  readonly closeTimeout?: Duration.Input | undefined
  /**
   * Received entries that may wait for the journal: so many are asked for at a time, and a page more may come.
   * @default 10_000
   */
  readonly maxQueuedEntries?: number | undefined
  /** The same in bytes. @default 16 MiB */
  readonly maxQueuedBytes?: number | undefined
  /**
   * Takes entries that the server refused for good, naming them. The other entries of the device then pass, and the
   * refused ones are not sent again. Without it they are kept and `write` fails, which effect's `EventLog` retries.
   *
   * A promise is waited for; whatever it throws is logged, and the entries count as reported all the same.
   */
  readonly onRejected?: ((rejection: Rejection) => void | Promise<void>) | undefined
}

/** The options with their defaults, durations in milliseconds. */
export interface Settings {
  readonly sessionAuth: "required" | "off"
  readonly backoffMinimum: number
  readonly backoffMaximum: number
  readonly stableAfter: number
  readonly connectTimeout: number
  readonly pingInterval: number
  readonly pingTimeout: number
  readonly closeTimeout: number
  readonly maxQueuedEntries: number
  readonly maxQueuedBytes: number
  readonly onRejected: ClientOptions["onRejected"]
}

/** Fills in the defaults. */
export const settingsOf = (options: ClientOptions): Settings => ({
  sessionAuth: options.sessionAuth ?? "required",
  backoffMinimum: Duration.toMillis(options.backoffMinimum ?? 250),
  backoffMaximum: Duration.toMillis(options.backoffMaximum ?? "30 seconds"),
  stableAfter: Duration.toMillis(options.stableAfter ?? "10 seconds"),
  connectTimeout: Duration.toMillis(options.connectTimeout ?? "15 seconds"),
  pingInterval: Duration.toMillis(options.pingInterval ?? "20 seconds"),
  pingTimeout: Duration.toMillis(options.pingTimeout ?? "10 seconds"),
  closeTimeout: Duration.toMillis(options.closeTimeout ?? "2 seconds"),
  maxQueuedEntries: options.maxQueuedEntries ?? 10_000,
  maxQueuedBytes: options.maxQueuedBytes ?? 16 * 1024 * 1024,
  onRejected: options.onRejected
})
