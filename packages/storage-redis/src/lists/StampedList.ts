import type { ScriptCalls } from "../calls/ScriptCalls.ts"
import type { RedisClient } from "../client.ts"
import { numberOf } from "../errors.ts"
import type { StampedKeys } from "../keys.ts"
import { run } from "../script.ts"
import { listScript, pageScript, unlistScript } from "./stamps.lua.ts"

/** A store that is listed. */
export interface Listing {
  readonly storeId: string
  /** Rises each time that the store is listed. */
  readonly stamp: number
  /** Whether it was listed so long ago that it may be taken off. */
  readonly isOld: boolean
}

/** In milliseconds: how long a node remembers that it listed a store. Stores stay on the list for longer, so busy ones aren't taken off. */
const memory = 60_000

/** Stores that a node remembers to have listed; beyond it, it begins anew. */
const maxStores = 100_000

/** What a list needs to know. */
interface StampedListOptions {
  readonly keys: StampedKeys
  /** A list of the same slot that stores are put on too, and stay on. */
  readonly forGood?: string | undefined
  /** In milliseconds: how long a store stays on the list at least. @default 2 minutes */
  readonly stay?: number | undefined
}

/**
 * A list of the stores that may have something, from which those that have nothing are taken off again. So looking for
 * those that have something costs nothing for stores at rest.
 *
 * On a cluster the list lies in one slot and a store in another, and no script sees both. None that has something may be
 * missing all the same, whatever happens in between and whatever clocks say:
 *
 * - Whoever gives a store something lists it first, which yields a stamp, and shows that to the script that does it.
 * - Whoever takes a store off first has a script on the store look whether it has nothing, and say in the same step that its
 *   stamp, and those before, count no more. From then on whoever shows such a stamp is refused (`UNLISTED`), lists the store
 *   anew and repeats. What was given to the store before would have been seen by that script.
 * - Only then the store is taken off the list, unless it has another stamp by then: somebody has listed it meanwhile.
 *
 * So whenever a stamp counts, the store is listed: by this stamp, or by a later one. Time only says what is worth the effort:
 * stores stay on the list for a while, so that one that gets something now and then isn't listed again each time.
 *
 * What a failover of one server of a cluster may lose, the list's last names or what a store said of stamps, no script can
 * notice. Nodes remember a listing for a minute only, so what gets something is soon on the list again.
 */
export class StampedList {
  readonly #redis: RedisClient
  readonly #calls: ScriptCalls
  readonly #keys: StampedKeys
  readonly #lists: ReadonlyArray<string>
  readonly #stay: number
  readonly #remembered = new Map<string, { readonly stamp: number; readonly until: number }>()

  constructor(redis: RedisClient, calls: ScriptCalls, { forGood, keys, stay = 2 * memory }: StampedListOptions) {
    this.#redis = redis
    this.#calls = calls
    this.#stay = stay
    this.#keys = keys
    this.#lists = [keys.names, ...(forGood === undefined ? [] : [forGood])]
  }

  /** Gives a listed store something, by a script that is shown the stamp. A store that is listed in vain does no harm. */
  async whileListed<A>(storeId: string, give: (stamp: number) => Promise<A>): Promise<A> {
    let stamp = this.#recall(storeId) ?? (await this.#list(storeId, 0))
    while (true) {
      try {
        return await give(stamp)
      } catch (error) {
        const last = numberOf(error, "UNLISTED")
        if (last === undefined) throw error
        stamp = await this.#list(storeId, last)
      }
    }
  }

  /** Listed stores behind a name, in the order of their names' bytes. */
  async page(after: string | undefined, limit: number): Promise<ReadonlyArray<Listing>> {
    const { names, stamps } = this.#keys
    const from = after === undefined ? "-" : `(${after}`
    const reply = (await run(
      this.#redis,
      pageScript,
      [names, stamps],
      [from, limit, this.#stay]
    )) as ReadonlyArray<unknown>
    const page: Array<Listing> = []
    for (let place = 0; place < reply.length; place += 3) {
      const [storeId, stamp, isOld] = reply.slice(place, place + 3)
      page.push({ storeId: String(storeId), stamp: Number(stamp), isOld: Number(isOld) === 1 })
    }
    return page
  }

  /** Takes stores off whose scripts said that their stamps count no more. */
  async takeOff(listings: ReadonlyArray<Listing>): Promise<void> {
    if (listings.length === 0) return
    const { names, stamps } = this.#keys
    const args = listings.flatMap(({ stamp, storeId }) => [storeId, stamp])
    await run(this.#redis, unlistScript, [names, stamps], args)
  }

  /** Lists every store again when it next gets something: Redis may have lost the list, or a part of it. */
  forget(): void {
    this.#remembered.clear()
  }

  #recall(storeId: string): number | undefined {
    const found = this.#remembered.get(storeId)
    return found === undefined || found.until < performance.now() ? undefined : found.stamp
  }

  /** @param above the new stamp is greater than this */
  async #list(storeId: string, above: number): Promise<number> {
    const stamp = Number(await this.#calls.run(listScript, [this.#keys.stamps, ...this.#lists], [storeId, above]))
    if (this.#remembered.size >= maxStores) this.forget()
    this.#remembered.set(storeId, { stamp, until: performance.now() + memory })
    return stamp
  }
}
