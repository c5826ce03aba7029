/** A set of keys that can be paged through in a stable order, by code unit. */
export class SortedKeys<K extends string> {
  readonly #keys = new Set<K>()
  // Sorting waits for the next page, so that adding many keys in a row stays cheap.
  #sorted: ReadonlyArray<K> | undefined

  add(key: K): void {
    this.#keys.add(key)
    this.#sorted = undefined
  }

  delete(key: K): void {
    this.#keys.delete(key)
    this.#sorted = undefined
  }

  /** The keys after `after`, which need not be in the set; all of them without it. */
  *after(after: K | undefined): Generator<K> {
    this.#sorted ??= Array.from(this.#keys).sort()
    const keys = this.#sorted
    for (let index = after === undefined ? 0 : firstAfter(keys, after); index < keys.length; index++) {
      yield keys[index]!
    }
  }
}

const firstAfter = (keys: ReadonlyArray<string>, after: string): number => {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (keys[middle]! <= after) low = middle + 1
    else high = middle
  }
  return low
}
