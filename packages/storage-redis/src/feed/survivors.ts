import {
  entryBytes,
  type PageLimits,
  type StorageError,
  type StoreId,
  type SurvivingEvents,
  type Survivor,
  type Survivors,
  type SurvivorsRequest
} from "@eventlog-server/core/backend"
import { Effect, Stream } from "effect"
import { attempt, storageError } from "../errors.ts"
import type { RedisNode } from "../node.ts"
import { run } from "../script.ts"
import { findBeginning } from "./findBeginning.ts"
import { readRecord } from "./record.ts"
import { loadScript, placesScript } from "./survivors.lua.ts"

const operation = "FeedStore.survivors"

/** Entries of one script. */
const maxLoaded = 256

/** Where a survivor is, and the last sequence of its primary key. */
interface Place {
  readonly sequence: number
  readonly last: number
}

/** A group of events, and the last sequence that is looked at. */
interface Search extends SurvivingEvents {
  readonly toSequence: number
}

/** What scripts say of the buckets of an event, some at a time: the place of each and, if wanted, its primary key. */
async function* askFor(
  { keys, redis }: RedisNode,
  storeId: StoreId,
  { by, toSequence }: Search,
  { event, wantsKeys }: { readonly event: string; readonly wantsKeys: boolean }
): AsyncGenerator<ReadonlyArray<unknown>> {
  const { buckets, events, feed } = keys.store(storeId)
  for (let from = 0; from >= 0; ) {
    const args = [event, from, toSequence, by, wantsKeys ? 1 : 0]
    const [next, ...fields] = (await run(redis, placesScript, [feed, buckets, events], args)) as ReadonlyArray<unknown>
    yield fields
    from = Number(next)
  }
}

const inOrder = (a: Place, b: Place): number => a.last - b.last || a.sequence - b.sequence

/** The places of one event, which has each primary key once. */
const placesOf = async (node: RedisNode, storeId: StoreId, search: Search, event: string): Promise<Array<Place>> => {
  const places: Array<Place> = []
  for await (const fields of askFor(node, storeId, search, { event, wantsKeys: false })) {
    for (let at = 0; at < fields.length; at += 2) {
      places.push({ sequence: Number(fields[at]), last: Number(fields[at + 1]) })
    }
  }
  return places
}

/** The places of several events. Those of one primary key have one last sequence. */
const joinedPlacesOf = async (
  node: RedisNode,
  storeId: StoreId,
  search: Search,
  events: ReadonlySet<string>
): Promise<Array<Place>> => {
  const found: Array<{ readonly sequence: number; readonly primaryKey: string }> = []
  const lasts = new Map<string, number>()
  for (const event of events) {
    for await (const fields of askFor(node, storeId, search, { event, wantsKeys: true })) {
      for (let at = 0; at < fields.length; at += 3) {
        const primaryKey = String(fields[at + 2])
        lasts.set(primaryKey, Math.max(Number(fields[at + 1]), lasts.get(primaryKey) ?? 0))
        found.push({ sequence: Number(fields[at]), primaryKey })
      }
    }
  }
  return found.map(({ primaryKey, sequence }) => ({ sequence, last: lasts.get(primaryKey)! }))
}

/** The places of a group. */
const groupPlacesOf = async (node: RedisNode, storeId: StoreId, search: Search): Promise<ReadonlyArray<Place>> => {
  const [event, ...others] = new Set(search.events)
  if (event === undefined) return []
  return others.length === 0
    ? placesOf(node, storeId, search, event)
    : joinedPlacesOf(node, storeId, search, new Set(search.events))
}

/** All places, in order. */
const findPlaces = async (
  node: RedisNode,
  storeId: StoreId,
  groups: ReadonlyArray<Search>
): Promise<ReadonlyArray<Place>> => {
  const places: Array<Place> = []
  for (const group of groups) for (const place of await groupPlacesOf(node, storeId, group)) places.push(place)
  return places.sort(inOrder)
}

/** Loads the next page, from a place on; nothing where the store was erased. */
const loadPage = async (
  { keys, redis }: RedisNode,
  storeId: StoreId,
  places: ReadonlyArray<Place>,
  { from, limits }: { readonly from: number; readonly limits: PageLimits }
): Promise<ReadonlyArray<Survivor>> => {
  const { feed, state } = keys.store(storeId)
  const page: Array<Survivor> = []
  let room = limits.maxBytes
  while (page.length < limits.maxEntries) {
    const begin = from + page.length
    const wanted = places.slice(begin, begin + Math.min(maxLoaded, limits.maxEntries - page.length))
    const args = [room, page.length === 0 ? 1 : 0, ...wanted.map(({ sequence }) => sequence)]
    const loaded = (await run(redis, loadScript, [feed, state], args)) as ReadonlyArray<Buffer> | null
    for (const [index, stored] of (loaded ?? []).entries()) {
      const { last, sequence } = wanted[index]!
      const entry = readRecord(sequence, stored)
      room -= entryBytes(entry.entry)
      page.push({ entry, last })
    }
    if (loaded === null || loaded.length === 0 || loaded.length < wanted.length) break
  }
  return page
}

/** The pages of survivors up to a sequence; none where the store was erased meanwhile. */
async function* pagesOf(
  node: RedisNode,
  storeId: StoreId,
  { groups, limits }: SurvivorsRequest,
  toSequence: number
): AsyncGenerator<ReadonlyArray<Survivor>> {
  const searches = groups.map((group) => ({ ...group, toSequence }))
  const places = await findPlaces(node, storeId, searches)
  for (let from = 0; from < places.length; ) {
    const page = await loadPage(node, storeId, places, { from, limits })
    if (page.length === 0) return
    yield page
    from += page.length
  }
}

/**
 * `FeedStore.survivors`. Entries don't change, so what several scripts see up to a sequence is the same. Where each survivor
 * is, which is put in order here, takes a few bytes of each, whatever the entries weigh.
 */
export const survivors = (
  node: RedisNode,
  storeId: StoreId,
  request: SurvivorsRequest
): Effect.Effect<Survivors, StorageError> =>
  Effect.map(
    attempt(operation, () => findBeginning(node, storeId, request)),
    (toSequence): Survivors => ({
      toSequence,
      pages:
        toSequence === 0
          ? Stream.empty
          : Stream.suspend(() =>
              Stream.fromAsyncIterable(pagesOf(node, storeId, request, toSequence), (cause) =>
                storageError(operation, cause)
              )
            )
    })
  )
