import { type Client, EventLogClient, generateIdentity } from "@eventlog-server/core/client"
import { Context, Effect, Layer, Logger, ManagedRuntime } from "effect"
import { EventJournal, EventLog } from "effect/eventlog"
import { onTestFinished } from "vitest"
import { TcpProxy } from "../network/TcpProxy.ts"
import { targetOf } from "../network/target.ts"
import type { Feed } from "./feeds.ts"
import { handlers, schema } from "./notes.ts"

type Journal = EventJournal.EventJournal["Service"]

/** What the server of one id told a device: which entry is at which sequence. */
interface Told {
  readonly remoteId: string
  readonly placed: Map<number, string>
}

/** What a device has, compared with a feed. */
export interface Differences {
  /** Sequences at which it was told of another entry than the feed has. */
  readonly others: number
  /** Entries of the feed that it wasn't told of. */
  readonly missing: number
  /** Entries that it keeps and the feed lacks. */
  readonly unsent: number
  /** Entries that it wrote and that were not acked. */
  readonly unacked: number
}

const hex = (id: Uint8Array): string => Buffer.from(id).toString("hex")

/** Remembers where the server that a journal follows now says that entries are. */
const listening = (journal: Journal, tell: (remoteId: string, sequence: number, id: string) => void): Journal => ({
  ...journal,
  writeFromRemote: (options) =>
    Effect.tap(journal.writeFromRemote(options), () =>
      Effect.sync(() => {
        for (const { entry, remoteSequence } of options.entries) {
          tell(hex(options.remoteId), remoteSequence, entry.idString)
        }
      })
    )
})

/** An app on effect's `EventLog` that keeps what it wrote and what it was told. */
export class Device {
  readonly storeId: string
  readonly #journal: Journal
  readonly #log: EventLog.EventLog["Service"]
  readonly #client: Client
  readonly #way: TcpProxy
  #isAway = false
  #told: Told = { remoteId: "", placed: new Map() }
  #count = 0

  private constructor(
    storeId: string,
    journal: Journal,
    way: TcpProxy,
    app: Context.Context<EventLog.EventLog | EventLogClient>
  ) {
    this.storeId = storeId
    this.#journal = journal
    this.#way = way
    this.#log = Context.get(app, EventLog.EventLog)
    this.#client = Context.get(app, EventLogClient)
  }

  /** Opens an app that connects to a node, which enrolls it into a store. It is closed when the test is over. */
  static async open(url: string, storeId: string): Promise<Device> {
    const way = await TcpProxy.open(targetOf(url))
    onTestFinished(way.close)
    const journal = await Effect.runPromise(EventJournal.makeMemory)
    const identity = await Effect.runPromise(generateIdentity)
    const tapped = listening(journal, (remoteId, sequence, id) => device.#tell(remoteId, sequence, id))
    const app = EventLogClient.layer({ url: way.through(url), backoffMinimum: 1, backoffMaximum: 50 }).pipe(
      Layer.provideMerge(EventLog.layer(schema, handlers)),
      Layer.provide([
        Layer.succeed(EventJournal.EventJournal, tapped),
        Layer.succeed(EventLog.Identity, identity),
        Logger.layer([])
      ])
    )
    const runtime = ManagedRuntime.make(app)
    onTestFinished(() => runtime.dispose())
    const device = new Device(storeId, journal, way, await runtime.context())
    return device
  }

  /** How many entries its server told it of. */
  get received(): number {
    return this.#told.placed.size
  }

  /** The id of the server that told it so. */
  get remoteId(): string {
    return this.#told.remoteId
  }

  get isAway(): boolean {
    return this.#isAway
  }

  /** Loses its connection, and gets none until it comes back. */
  async leave(): Promise<void> {
    this.#isAway = true
    await this.#way.begin()
  }

  /** Has a connection again. */
  async comeBack(): Promise<void> {
    this.#isAway = false
    await this.#way.end()
  }

  /** Writes one entry after another, each as soon as the one before was acked. */
  async writeUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#acked(signal)
      const payload = { id: `${this.#count++}` }
      await Effect.runPromise(this.#log.write({ schema, event: "NoteAdded", payload }))
    }
  }

  /** What it has otherwise than a feed. */
  async compare(feed: Feed): Promise<Differences> {
    const { placed } = this.#told
    const kept = await this.kept()
    const ids = new Set([...feed.values()].map(({ id }) => id))
    return {
      others: [...placed].filter(([sequence, id]) => feed.get(sequence)?.id !== id).length,
      missing: [...feed.keys()].filter((sequence) => !placed.has(sequence)).length,
      unsent: [...kept].filter((id) => !ids.has(id)).length,
      unacked: this.#client.status().pendingWrites
    }
  }

  /** The ids of what it wrote and of what it received. */
  async kept(): Promise<ReadonlySet<string>> {
    const entries = await Effect.runPromise(this.#journal.entries)
    return new Set(entries.map(({ idString }) => idString))
  }

  #tell(remoteId: string, sequence: number, id: string): void {
    if (this.#told.remoteId !== remoteId) this.#told = { remoteId, placed: new Map() }
    this.#told.placed.set(sequence, id)
  }

  #acked(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.#client.status().pendingWrites > 0 && !signal.aborted) return
        end()
        signal.removeEventListener("abort", look)
        resolve()
      }
      const end = this.#client.subscribe(look)
      signal.addEventListener("abort", look)
      look()
    })
  }
}
