import type { EventJournal } from "effect/eventlog"
import type { ClientError, ClientMethod } from "./errors.ts"
import { nothingQuarantined, type QuarantineSummary } from "./quarantine/Ward.ts"

/** What a page can show of its client. A value never changes; a change makes a new one. */
export interface ClientStatus {
  /** `"offline"` waits before it connects again; `"closed"` is final. */
  readonly connection: "offline" | "connecting" | "online" | "closed"
  /** The server's id; `undefined` before the first contact. */
  readonly remoteId: EventJournal.RemoteId | undefined
  /** Local entries that the server hasn't confirmed. */
  readonly pendingWrites: number
  /**
   * Whether those of earlier runs of the app are among them for certain: at once with `layerJournalIndexedDb`, offline too.
   * Another journal can't be asked; its entries are counted when the server is met and they are handed over.
   */
  readonly pendingCounted: boolean
  /** The last sequence that the journal has for certain; 0 before any. */
  readonly cursor: number
  /** Whether the journal has everything that the store held, as far as this connection told. */
  readonly caughtUp: boolean
  /** The last failure that wasn't followed by a success of the same kind. */
  readonly lastError: ClientError | undefined
  /**
   * Whether the browser promised to keep what is stored until the user removes it; `undefined` where it hasn't answered,
   * can't, or wasn't asked by `layerJournalIndexedDb`.
   */
  readonly persisted: boolean | undefined
  /** Received entries that this device can't apply, and why. Always empty without a `Quarantine` beside the journal. */
  readonly quarantined: QuarantineSummary
}

const initial: ClientStatus = {
  connection: "offline",
  remoteId: undefined,
  pendingWrites: 0,
  pendingCounted: false,
  cursor: 0,
  caughtUp: false,
  lastError: undefined,
  persisted: undefined,
  quarantined: nothingQuarantined
}

type Listener = (status: ClientStatus) => void

/** Holds the status and tells listeners of each change. What a listener throws is reported and harms nobody. */
export class StatusStore {
  #status = initial
  readonly #listeners = new Set<Listener>()
  readonly #report: (error: unknown) => void

  /** @param report takes what a listener throws */
  constructor(report: (error: unknown) => void) {
    this.#report = report
  }

  /** The status now. The same object until it changes. */
  get current(): ClientStatus {
    return this.#status
  }

  /** Calls `listener` after each change. Answers a function that ends it. */
  subscribe(listener: Listener): () => void {
    // Wrapped, so that one function subscribed twice is two subscriptions.
    const own: Listener = (status) => listener(status)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  /** Changes the given fields. */
  set(change: Partial<ClientStatus>): void {
    const before = this.#status
    const changed = Object.entries(change).some(([key, value]) => before[key as keyof ClientStatus] !== value)
    if (!changed) return
    const status = { ...before, ...change }
    this.#status = status
    for (const listener of this.#listeners) {
      try {
        listener(status)
      } catch (error) {
        this.#report(error)
      }
    }
  }

  /** Records a failure, together with what else changed. */
  failed(error: ClientError, change: Partial<ClientStatus> = {}): void {
    this.set({ ...change, lastError: error })
  }

  /** Forgets a failure of this method, since it succeeded; together with what else changed. */
  succeeded(method: ClientMethod, change: Partial<ClientStatus> = {}): void {
    const resolved = this.#status.lastError?.method === method
    this.set(resolved ? { ...change, lastError: undefined } : change)
  }
}
