/** Whoever holds something for a peer, as the budget of the process sees it. */
export interface Holder {
  /** What it holds now, in bytes with what the objects cost. */
  readonly heldBytes: number
  /** What of it would be let go of at once if the connection ended: not what is being written to a storage. */
  readonly freeableBytes: number
  /** Looks again at what it holds: bytes that were sent leave without a word. */
  readonly recount: () => void
  /** Stops and resumes reading from the peer, where its runtime can. */
  readonly pause: () => void
  readonly resume: () => void
  /** Ends the connection, and what is queued for it. */
  readonly evict: () => void
}

/** Below this nobody is closed: it would free nothing worth it. */
const leastFreeableBytes = 64 * 1024

/**
 * What one process may hold for all of its peers together. Above three quarters of it whoever holds more than the average
 * is not read any more until half of it is free; above all of it those are closed whose end frees most.
 *
 * The sum may be late by what was sent meanwhile, so holders are counted again before anybody is closed: whenever it grew by
 * a 256th of the budget since the last time. It doesn't know of less than 4 KiB of each connection.
 */
export class Budget {
  readonly #maxBytes: number
  readonly #holders = new Set<Holder>()
  readonly #paused = new Set<Holder>()
  #held = 0
  #grown = 0
  /** Whether three quarters are held: then `hasRoomFor` tells who may go on. */
  isTight = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes held now, as far as is known. */
  get heldBytes(): number {
    return this.#held
  }

  /**
   * Whether another batch may be decoded for a holder: above three quarters for those that hold little, above all of it for
   * nobody. What is being written for connections that are gone counts too, and nobody's end would free it.
   */
  hasRoomFor(holder: Holder): boolean {
    return !this.isTight || (this.#held <= this.#maxBytes && holder.heldBytes <= leastFreeableBytes)
  }

  /** A holder holds more, or less. */
  change(holder: Holder, bytes: number): void {
    this.#held += bytes
    this.isTight = this.#held > this.#highWater
    if (holder.heldBytes > 0) this.#holders.add(holder)
    else this.#holders.delete(holder)
    if (bytes <= 0) return this.#resumeSome()
    this.#grown += bytes
    if (this.#grown >= this.#maxBytes / 256) this.#press(holder)
  }

  /** To be called now and then: ends one that is not read and lets nothing go, while others wait for room. */
  relieve(): void {
    if (this.#paused.size === 0) return
    this.#recount()
    if (this.#held > this.#highWater) this.#evictGreediest()
    else this.#resumeSome()
  }

  /** It is gone: what it still holds, it holds until that is written. */
  leave(holder: Holder): void {
    this.#paused.delete(holder)
  }

  get #highWater(): number {
    return (this.#maxBytes * 3) / 4
  }

  #press(holder: Holder): void {
    if (this.#held <= this.#highWater) return
    this.#recount()
    while (this.#held > this.#maxBytes && this.#evictGreediest());
    if (this.#held <= this.#highWater || holder.heldBytes < this.#held / this.#holders.size) return
    this.#paused.add(holder)
    holder.pause()
  }

  #recount(): void {
    this.#grown = 0
    for (const holder of this.#holders) holder.recount()
  }

  #resumeSome(): void {
    if (this.#paused.size === 0 || this.#held > this.#maxBytes / 2) return
    for (const holder of this.#paused) holder.resume()
    this.#paused.clear()
  }

  /** Returns `false` when nobody's end would free anything worth it. */
  #evictGreediest(): boolean {
    let greediest: Holder | undefined
    for (const holder of this.#holders) {
      if (holder.freeableBytes > (greediest?.freeableBytes ?? leastFreeableBytes)) greediest = holder
    }
    greediest?.evict()
    return greediest !== undefined
  }
}
