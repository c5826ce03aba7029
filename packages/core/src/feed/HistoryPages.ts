import { Deferred, Effect } from "effect"
import type { FeedStore, ReadOptions } from "../backend/FeedStore.ts"
import type { FeedLostError, StorageError, StoreErasedError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { entryCost } from "../wire/limits.ts"
import { OldestFirst } from "./OldestFirst.ts"
import { Page } from "./page.ts"

type Failure = StorageError | StoreErasedError | FeedLostError

/** What is kept for all stores together, in bytes with what the objects cost, and what protocols made of the entries. */
const maxKeptBytes = 32 * 1024 * 1024

type Fork = (effect: Effect.Effect<unknown, unknown>) => void

/** Pages that are kept for one who reads alone, and won't come back: more would only grow old, and cost the collector. */
const maxAlone = 2

/** How long a store's pages are kept after the last one read them: those who come back together do so within seconds. */
const keepFor = "2 seconds"

/** Pages that are read at the same time, of all stores: what they take before anybody has them. */
const maxReads = 32

/**
 * Up to so many readers of histories pages are read ahead for. With more there always is one to serve while others wait
 * for the storage, and pages that wait to be wanted would take the place of those that are.
 */
const maxAhead = 8

/** Each entry is kept as it was read, and as a protocol writes it. */
const costOf = ({ bytes, entries }: Page): number => 2 * (bytes + entryCost * entries.length)

/** The page that holds a sequence, and the head when it was read: unknown where somebody else read it a while ago. */
export type SharedPage =
  | { readonly page: Page; readonly head: number | undefined }
  /** The feed ends before that sequence. */
  | { readonly page: undefined; readonly head: number }

/** One that was read just now. */
export type FreshPage = SharedPage & { readonly head: number }

/** What is read of one store at the moment. */
interface Reading {
  readers: number
  /** Whether it is looked at in a while whether somebody reads it. */
  isEnding: boolean
  readonly pages: Set<Page>
  /** Reads that are under way, by the sequence that they begin at. */
  readonly underWay: Map<number, Deferred.Deferred<FreshPage, Failure>>
}

const holds = (page: Page, sequence: number): boolean => page.first <= sequence && sequence <= page.last

/**
 * Pages of the histories that subscribers of this node read at the moment. Whoever comes to a place where somebody else is, or
 * was just before, gets the same page: what thousands of devices lack that come back after a deploy is read once, and encoded
 * once for each protocol. A store's pages are let go of soon after nobody reads it any more.
 */
export class HistoryPages {
  readonly #feeds: FeedStore["Service"]
  readonly #options: ReadOptions
  readonly #fork: Fork
  readonly #turns = new OldestFirst(maxReads)
  readonly #stores = new Map<StoreId, Reading>()
  /** Those that were read first come first. */
  readonly #kept = new Map<Page, Reading>()
  #bytes = 0
  #readers = 0

  /** @param fork runs what is nobody's own, apart from who began it: a fiber of theirs would hold what they hold */
  constructor(feeds: FeedStore["Service"], options: ReadOptions, fork: Fork) {
    this.#feeds = feeds
    this.#options = options
    this.#fork = fork
  }

  /** Reads a store's history with an effect. Its pages are kept meanwhile. */
  reading<A, E>(storeId: StoreId, effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      const reading = this.#stores.get(storeId) ?? {
        readers: 0,
        isEnding: false,
        pages: new Set(),
        underWay: new Map()
      }
      this.#stores.set(storeId, reading)
      reading.readers++
      this.#readers++
      return Effect.ensuring(
        effect,
        Effect.sync(() => {
          this.#readers--
          if (--reading.readers === 0) this.#end(storeId, reading)
        })
      )
    })
  }

  /** The page that holds a sequence, and where the feed ends now. */
  open(storeId: StoreId, from: number): Effect.Effect<FreshPage, Failure> {
    return this.reading(
      storeId,
      Effect.suspend(() => {
        const kept = this.#find(storeId, from)
        let next = from
        for (let page = kept; page !== undefined; page = this.#find(storeId, next)) next = page.last + 1
        const looked = this.#share(storeId, next)
        return kept === undefined ? looked : Effect.map(looked, ({ head }) => ({ page: kept, head }))
      })
    )
  }

  /** The page that holds a sequence. */
  read(storeId: StoreId, from: number): Effect.Effect<SharedPage, Failure> {
    return Effect.suspend((): Effect.Effect<SharedPage, Failure> => {
      const page = this.#find(storeId, from)
      if (page !== undefined) return Effect.succeed({ page, head: undefined })
      const other = this.#underWayBefore(storeId, from)
      if (other === undefined) return this.#share(storeId, from)
      return Effect.flatMap(
        Deferred.await(other),
        (shared): Effect.Effect<SharedPage, Failure> =>
          shared.page !== undefined && holds(shared.page, from)
            ? Effect.succeed({ page: shared.page, head: undefined })
            : this.#share(storeId, from)
      )
    })
  }

  /**
   * Begins to read the page that begins at a sequence, for a reader that has something else to do meanwhile, and returns how
   * to wait for it. `undefined` where it is at hand, or nothing is read ahead at the moment.
   */
  ahead(storeId: StoreId, from: number): Effect.Effect<SharedPage, Failure> | undefined {
    if (this.#readers > maxAhead || this.#find(storeId, from) !== undefined) return undefined
    return this.#underWayBefore(storeId, from) === undefined ? Deferred.await(this.#begin(storeId, from)) : undefined
  }

  /** Keeps a page of a store that is being read. */
  keep(storeId: StoreId, page: Page): void {
    const reading = this.#stores.get(storeId)
    if (reading === undefined || this.#kept.has(page)) return
    const [first] = reading.pages
    if (first !== undefined && reading.readers < 2 && reading.pages.size >= maxAlone) this.#letGo(first, reading)
    reading.pages.add(page)
    this.#kept.set(page, reading)
    this.#bytes += costOf(page)
    for (const [oldest, of] of this.#kept) {
      if (this.#bytes <= maxKeptBytes) return
      this.#letGo(oldest, of)
    }
  }

  #letGo(page: Page, reading: Reading): void {
    reading.pages.delete(page)
    this.#drop(page)
  }

  #find(storeId: StoreId, from: number): Page | undefined {
    for (const page of this.#stores.get(storeId)?.pages ?? []) if (holds(page, from)) return page
    return undefined
  }

  /** A read that is under way, began before a sequence, and may hold it. */
  #underWayBefore(storeId: StoreId, from: number): Deferred.Deferred<FreshPage, Failure> | undefined {
    for (const [start, read] of this.#stores.get(storeId)?.underWay ?? []) {
      if (start < from && from < start + this.#options.maxEntries) return read
    }
    return undefined
  }

  /** The page that begins at a sequence, with all who want the same at the moment. Nobody loses it when another one leaves. */
  #share(storeId: StoreId, from: number): Effect.Effect<FreshPage, Failure> {
    return Effect.suspend(() => Deferred.await(this.#begin(storeId, from)))
  }

  #begin(storeId: StoreId, from: number): Deferred.Deferred<FreshPage, Failure> {
    const underWay = this.#stores.get(storeId)?.underWay
    const other = underWay?.get(from)
    if (other !== undefined) return other
    const read = Deferred.makeUnsafe<FreshPage, Failure>()
    underWay?.set(from, read)
    this.#fork(
      Effect.onExit(this.#read(storeId, from), (exit) => {
        underWay?.delete(from)
        return Deferred.done(read, exit)
      })
    )
    return read
  }

  #read(storeId: StoreId, from: number): Effect.Effect<FreshPage, Failure> {
    const read = this.#feeds.read(storeId, from, this.#options)
    return Effect.map(this.#turns.take(from, read), ({ entries, head }) => {
      if (entries.length === 0) return { page: undefined, head }
      const page = new Page(entries)
      this.keep(storeId, page)
      return { page, head }
    })
  }

  /** Nobody reads a store's history any more. */
  #end(storeId: StoreId, reading: Reading): void {
    if (reading.pages.size === 0) return this.#forget(storeId, reading)
    if (reading.isEnding) return
    reading.isEnding = true
    const end = Effect.sync(() => {
      reading.isEnding = false
      if (reading.readers === 0) this.#forget(storeId, reading)
    })
    this.#fork(Effect.andThen(Effect.sleep(keepFor), end))
  }

  #forget(storeId: StoreId, reading: Reading): void {
    if (this.#stores.get(storeId) === reading) this.#stores.delete(storeId)
    for (const page of reading.pages) this.#drop(page)
    reading.pages.clear()
  }

  #drop(page: Page): void {
    if (this.#kept.delete(page)) this.#bytes -= costOf(page)
  }
}
