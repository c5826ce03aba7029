/** Called when something may have changed. It may not throw. */
export type Listener = () => void

/** Who listens to what on this node. */
export class Listeners {
  readonly #byChannel = new Map<string, Set<Listener>>()

  add(channel: string, listener: Listener): void {
    const listeners = this.#byChannel.get(channel)
    if (listeners === undefined) this.#byChannel.set(channel, new Set([listener]))
    else listeners.add(listener)
  }

  /** Answers whether it was the last one of its channel. */
  remove(channel: string, listener: Listener): boolean {
    const listeners = this.#byChannel.get(channel)
    return listeners?.delete(listener) === true && listeners.size === 0 && this.#byChannel.delete(channel)
  }

  wake(channel: string): void {
    for (const listener of this.#byChannel.get(channel) ?? []) listener()
  }

  wakeAll(): void {
    for (const channel of this.#byChannel.keys()) this.wake(channel)
  }

  channels(): ReadonlyArray<string> {
    return Array.from(this.#byChannel.keys())
  }
}
