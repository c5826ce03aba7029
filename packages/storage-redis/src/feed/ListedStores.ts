/** Stores that a node remembers to have listed; beyond it, it begins anew. */
const maxStores = 100_000

/** The stores that this node has put on the list of all stores. */
export class ListedStores {
  readonly #storeIds = new Set<string>()

  has(storeId: string): boolean {
    return this.#storeIds.has(storeId)
  }

  add(storeId: string): void {
    if (this.#storeIds.size >= maxStores) this.#storeIds.clear()
    this.#storeIds.add(storeId)
  }

  /** Lists every store again when it is next written to: Redis may have lost the list, or a part of it. */
  clear(): void {
    this.#storeIds.clear()
  }
}
