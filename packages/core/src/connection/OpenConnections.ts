import { Effect } from "effect"
import type { Limits } from "../wire/limits.ts"
import type { Connection } from "./Connection.ts"
import type { ConnectionDetails } from "./CurrentConnection.ts"
import { Door } from "./Door.ts"

/** The sockets of this process, by what is to be done about them. A closed one counts until it is gone. */
export class OpenConnections {
  readonly #limits: Limits
  /** Those that are handled. */
  readonly live = new Set<Connection>()
  /** Those that are closed and whose peers have not answered that, the oldest first. */
  readonly #closing = new Set<Connection>()
  /** Those that have proved no key, the oldest first. */
  readonly #unproved = new Set<Connection>()
  readonly #byAddress = new Map<string, number>()
  /** Where those wait that are to be opened. */
  readonly #door: Door
  #whenEmpty: Array<() => void> = []
  #isClosed = false

  constructor(limits: Limits) {
    this.#limits = limits
    this.#door = new Door(() =>
      this.#isClosed ? Number.POSITIVE_INFINITY : limits.maxUnprovedConnections - this.#unproved.size
    )
  }

  get size(): number {
    return this.live.size + this.#closing.size
  }

  /** Whether nobody is let in any more, and so nobody waits for it. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  get isFull(): boolean {
    return this.size + this.#door.size >= this.#limits.maxConnections
  }

  isFullFor(address: string | undefined): boolean {
    return address !== undefined && (this.#byAddress.get(address) ?? 0) >= this.#limits.maxConnectionsPerAddress
  }

  /** Waits until there is a place for a connection that is to be opened. It counts as one of its address meanwhile. */
  enter({ remoteAddress }: Pick<ConnectionDetails, "remoteAddress">): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#count(remoteAddress, 1)
      return Effect.ensuring(
        this.#door.passed,
        Effect.sync(() => this.#count(remoteAddress, -1))
      )
    })
  }

  close(): void {
    this.#isClosed = true
    this.#door.open()
  }

  add(connection: Connection): void {
    this.live.add(connection)
    this.#count(connection.details.remoteAddress, 1)
    if (!connection.account.isTrusted) this.#unproved.add(connection)
    this.#door.arrived()
  }

  trust(connection: Connection, isTrusted: boolean): void {
    if (isTrusted) this.#forget(connection)
    else if (this.live.has(connection)) this.#unproved.add(connection)
  }

  /** It is closed, and its socket is still there. */
  end(connection: Connection): void {
    this.#forget(connection)
    if (this.live.delete(connection)) this.#closing.add(connection)
  }

  /** Its socket is gone. */
  leave(connection: Connection): void {
    this.live.delete(connection)
    this.#forget(connection)
    if (!this.#closing.delete(connection)) return
    this.#count(connection.details.remoteAddress, -1)
    if (this.size === 0) for (const resume of this.#whenEmpty.splice(0)) resume()
  }

  /**
   * Closes the oldest of those that have proved no key while there are too many: a device would have proved its own. There are
   * too many only where connections are opened that didn't wait for a place.
   */
  makeRoom(): void {
    for (const connection of this.#unproved) {
      if (this.#unproved.size <= this.#limits.maxUnprovedConnections) return
      connection.close(1013, "Too many connections that have proved no key")
    }
  }

  /** Closes those that were opened up to `openedAt` and have proved no key. */
  giveUpUnproved(openedAt: number): void {
    for (const connection of this.#unproved) {
      if (connection.openedAt > openedAt) continue
      connection.close(1008, "No key was proved in time")
    }
  }

  /**
   * Makes room for those who wait to be opened, and lets them in: of those that were opened up to `openedAt` and have begun no
   * proof one is closed for each that waits.
   */
  letIn(openedAt: number): void {
    let wanted = this.#door.size
    for (const connection of this.#unproved) {
      if (wanted === 0 || connection.openedAt > openedAt) break
      if (!connection.isIdle) continue
      wanted--
      connection.close(1013, "No key was proved while others wait")
    }
    this.#door.expectNobody()
  }

  /** Ends the sockets that were closed up to `endedAt`. */
  terminate(endedAt: number): void {
    for (const connection of this.#closing) {
      if ((connection.endedAt ?? 0) > endedAt) return
      connection.terminate()
    }
  }

  /** Waits until no socket is left. */
  get empty(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.size === 0) return resume(Effect.void)
      this.#whenEmpty.push(() => resume(Effect.void))
    })
  }

  /** It has proved a key, or never will. */
  #forget(connection: Connection): void {
    if (this.#unproved.delete(connection)) this.#door.open()
  }

  #count(remoteAddress: string | undefined, change: 1 | -1): void {
    if (remoteAddress === undefined) return
    const count = (this.#byAddress.get(remoteAddress) ?? 0) + change
    if (count === 0) this.#byAddress.delete(remoteAddress)
    else this.#byAddress.set(remoteAddress, count)
  }
}
