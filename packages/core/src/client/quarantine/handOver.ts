import { Cause, Clock, Effect, Exit, Schema } from "effect"
import type { EventJournal, EventLog } from "effect/eventlog"
import type { QuarantinedEntry } from "./QuarantineStorage.ts"

/** An entry with the stored entries that are newer and of the same event and primary key, as effect's `EventLog` takes it. */
export interface Incoming {
  readonly entry: EventJournal.Entry
  readonly conflicts: ReadonlyArray<EventJournal.Entry>
}

/** How entries are applied, and which. */
export interface HandOverRules {
  /** The app's handlers; `undefined` where nobody knows them yet, and no event counts as unknown. */
  readonly handlers: EventLog.Registry["Service"]["handlers"] | undefined
  readonly keepOrder: (entry: EventJournal.Entry) => boolean
  readonly ignore: (entry: EventJournal.Entry) => boolean
  /** Applies entries. What it fails or dies with is the handlers', and stops those behind. */
  readonly apply: (batch: ReadonlyArray<Incoming>) => Effect.Effect<void, unknown>
}

/** An entry that could not be applied. */
export type SetAside = Omit<QuarantinedEntry, "sequence">

/** What came of a batch. */
export interface HandedOver {
  readonly applied: ReadonlyArray<EventJournal.Entry>
  readonly aside: ReadonlyArray<SetAside>
}

const maxMessageLength = 500

/** Applies entries, batch after batch, and remembers which primary keys are held up. */
export class HandOver {
  readonly #rules: HandOverRules
  readonly #heldKeys = new Set<string>()
  #now = 0
  #applied: Array<EventJournal.Entry> = []
  #aside: Array<SetAside> = []

  /** @param held entries that were set aside before */
  constructor(rules: HandOverRules, held: ReadonlyArray<EventJournal.Entry>) {
    this.#rules = rules
    for (const entry of held) this.#hold(entry)
  }

  /** Applies what can be applied of a batch, in its order, and says why of the rest. It can't fail. */
  run(batch: ReadonlyArray<Incoming>): Effect.Effect<HandedOver> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      this.#now = now
      this.#applied = []
      this.#aside = []
      const fit = batch.filter((incoming) => this.#admit(incoming.entry))
      return Effect.map(this.#together(fit), () => ({ applied: this.#applied, aside: this.#aside }))
    })
  }

  /** At once, as without a quarantine; one by one only where that failed, so a healthy batch costs nothing more. */
  #together(fit: ReadonlyArray<Incoming>): Effect.Effect<void> {
    if (fit.length === 0) return Effect.void
    return Effect.flatMap(Effect.exit(this.#rules.apply(fit)), (exit) => {
      if (Exit.isSuccess(exit)) return Effect.sync(() => (this.#applied = fit.map(({ entry }) => entry)))
      const alone = fit.length === 1 ? fit[0] : undefined
      if (alone !== undefined) return Effect.sync(() => this.#failed(alone.entry, exit.cause))
      return Effect.forEach(fit, (incoming) => this.#alone(incoming), { discard: true })
    })
  }

  #alone(incoming: Incoming): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { entry } = incoming
      if (!this.#admit(entry)) return Effect.void
      return Effect.map(Effect.exit(this.#rules.apply([incoming])), (exit) => {
        if (Exit.isSuccess(exit)) this.#applied.push(entry)
        else this.#failed(entry, exit.cause)
      })
    })
  }

  /** Whether an entry may be applied as far as can be told before; else it is set aside. */
  #admit(entry: EventJournal.Entry): boolean {
    const { handlers, ignore } = this.#rules
    if (this.#heldKeys.has(entry.primaryKey) && this.#rules.keepOrder(entry)) {
      this.#put(entry, "Behind", "An earlier entry of the same primary key waits")
      return false
    }
    if (handlers === undefined || handlers.has(entry.event) || ignore(entry)) return true
    this.#put(entry, "UnknownEvent", `This version has no handler of ${entry.event}`)
    return false
  }

  #failed(entry: EventJournal.Entry, cause: Cause.Cause<unknown>): void {
    const error = Cause.squash(cause)
    this.#put(entry, Schema.isSchemaError(error) ? "Undecodable" : "HandlerFailed", messageOf(error))
  }

  #put(entry: EventJournal.Entry, reason: QuarantinedEntry["reason"], message: string): void {
    this.#aside.push({ entry, reason, message: message.slice(0, maxMessageLength), since: this.#now })
    this.#hold(entry)
  }

  #hold(entry: EventJournal.Entry): void {
    if (this.#rules.keepOrder(entry)) this.#heldKeys.add(entry.primaryKey)
  }
}

const messageOf = (error: unknown): string => {
  try {
    return error instanceof Error ? error.message : String(error)
  } catch {
    // What is thrown may be a thing that can't be told.
    return "Something was thrown that is no error"
  }
}
