/**
 * What a run records while it goes on, and what is read at its end. The oracle knows nothing else of the system: neither
 * its code nor its protocol.
 */

/** An entry, cut down to what can be compared. */
export interface SeenEntry {
  /** In hexadecimal digits. */
  readonly id: string
  readonly event: string
  readonly primaryKey: string
  /** A digest of the payload. */
  readonly digest: string
}

/** An entry and the sequence that it came with. */
export interface Placed {
  readonly sequence: number
  readonly entry: SeenEntry
}

/** What happened, in the order in which it was seen. */
export type Happening =
  /** A device made an entry; it is in its journal. Hostile devices make entries that no feed may hold. */
  | { readonly kind: "made"; readonly device: string; readonly entry: SeenEntry }
  /** A batch left a device. `mayBeParted`: one that is too big for a commit may be stored in parts. */
  | {
      readonly kind: "sent"
      readonly device: string
      readonly request: string
      readonly ids: ReadonlyArray<string>
      readonly mayBeParted?: boolean
    }
  /** The batch was acknowledged. Some devices aren't told the sequences. */
  | {
      readonly kind: "acked"
      readonly device: string
      readonly request: string
      readonly sequences?: ReadonlyArray<number>
    }
  /** The batch was refused. */
  | { readonly kind: "refused"; readonly device: string; readonly request: string; readonly reason: string }
  /** A device asked for a feed, from this sequence on. */
  | { readonly kind: "subscribed"; readonly device: string; readonly subscription: string; readonly from: number }
  /** Entries came to a device, in one message of a subscription. */
  | {
      readonly kind: "delivered"
      readonly device: string
      readonly subscription: string
      readonly entries: ReadonlyArray<Placed>
    }
  /** A device put entries that came into its journal. */
  | { readonly kind: "kept"; readonly device: string; readonly entries: ReadonlyArray<Placed> }
  /** The server was asked to write an entry of its own; the digest tells it from all others. */
  | { readonly kind: "ordered"; readonly store: string; readonly digest: string; readonly transportOnly: boolean }
  /** It said that it did. */
  | { readonly kind: "authored"; readonly store: string; readonly digest: string; readonly sequence: number }
  /** A handler began to run. `run` names a life of a server process. */
  | {
      readonly kind: "handled"
      readonly store: string
      readonly run: string
      readonly id: string
      readonly conflicts: ReadonlyArray<string>
    }
  /** A handler is about to fail: it says so itself, before anybody else knows. */
  | { readonly kind: "flunked"; readonly store: string; readonly run: string; readonly id: string }
  /** Somebody asks for an entry that failed to be tried again. */
  | { readonly kind: "retried"; readonly store: string; readonly id: string }
  /** Somebody asks for an entry that failed to be forgotten. */
  | { readonly kind: "discarded"; readonly store: string; readonly id: string }
  /** A server has handlers see a store again: what it had made of the entries is gone. */
  | { readonly kind: "reset"; readonly store: string; readonly run: string }
  /** A server took a handler for failed for good: the entry counts as processed. */
  | {
      readonly kind: "failed"
      readonly store: string
      readonly run: string
      readonly id: string
      readonly reason: string
      readonly why: string
    }
  /** A server said how much memory it has. */
  | { readonly kind: "measured"; readonly run: string; readonly bytes: number }
  /** A server process ended that nobody had told to. */
  | { readonly kind: "died"; readonly run: string; readonly why: string }
  /**
   * Something was broken on purpose. `excuses`: after it, entries may be handled again. `refuses`: requests may fail until
   * somebody mends it.
   */
  | { readonly kind: "fault"; readonly what: string; readonly excuses: boolean; readonly refuses?: boolean }

/** A happening and when it was seen, in milliseconds since the run began. */
export type Recorded = Happening & { readonly at: number }

/** Something that happened of one kind. */
export type Of<Kind extends Happening["kind"]> = Extract<Recorded, { readonly kind: Kind }>

/** An entry as a store holds it at the end. */
export interface StoredEntry extends Placed {
  /** The public key that wrote it; `null` for the server. */
  readonly author: string | null
  readonly transportOnly: boolean
}

/** A device, as it is at the end. */
export interface FinalDevice {
  readonly device: string
  readonly publicKey: string
  /** The store that its key was mapped to; `undefined` when it never had one. */
  readonly store: string | undefined
  /** Whether all that it made and all of the feed has to have arrived by now. */
  readonly mustConverge: boolean
  /** Ids of what its journal holds. */
  readonly journal: ReadonlyArray<string>
}

/** What is there when a run is over and everything has come to rest. */
export interface Outcome {
  /** The entries of each store, in the order in which they were read. */
  readonly feeds: ReadonlyMap<string, ReadonlyArray<StoredEntry>>
  readonly devices: ReadonlyArray<FinalDevice>
  /** Ids of the entries of each store that are kept as failures. */
  readonly failures: ReadonlyMap<string, ReadonlyArray<string>>
  /** Ids of the entries that a transactional projection of each store holds, in order; absent where there is none. */
  readonly projections: ReadonlyMap<string, ReadonlyArray<string>>
}

/** What the run was set up with. */
export interface Rules {
  /** The events that have a handler on the server. */
  readonly handledEvents: ReadonlySet<string>
  /** Of those, the events whose handler never succeeds: no projection holds them. */
  readonly failingEvents: ReadonlySet<string>
  /** The events that are compacted when history is read; each compaction keeps the greatest id of an event and key. */
  readonly compactedEvents: ReadonlySet<string>
  /**
   * Whether handlers share the cursor's transaction. One that is rolled back runs its handlers again; that nothing of them
   * is there twice, the projections tell.
   */
  readonly rollsBack: boolean
  /** How many conflicts a handler is given at most. */
  readonly maxConflicts: number
  /** For how long after a fault a server may not know yet that it lost its lease. */
  readonly excuseMillis: number
  /** Bytes that no server may outgrow. */
  readonly maxServerBytes: number
}

/** Everything that the oracle judges. */
export interface Evidence {
  readonly history: ReadonlyArray<Recorded>
  readonly outcome: Outcome
  readonly rules: Rules
}

/** A promise that was broken. */
export interface Violation {
  /** Which promise, in a word or two. */
  readonly rule: string
  readonly message: string
  /** Ids, devices, stores, requests and subscriptions whose happenings tell how it came about. */
  readonly about: ReadonlyArray<string>
}

/** Looks at the evidence for one kind of broken promise. */
export type Check = (evidence: Evidence) => ReadonlyArray<Violation>
