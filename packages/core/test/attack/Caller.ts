import { type SigningKey, signProof } from "@eventlog-server/testkit/signing"
import { Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { Mountable } from "../../src/server/mountable.ts"
import { type Dialect, dialectOf, type Heard, type Proof } from "./dialects.ts"
import { Link, type LinkOptions } from "./Link.ts"
import { turnOfTheLoop } from "./rejections.ts"

/** Bytes of a part, at most. */
const partBytes = 8 * 1024

/** Told of everything that a server says to a peer, at the moment that it is sent. */
export type OnHeard = (heard: Heard, caller: Caller) => void

/** A peer of either protocol on a link of any kind, which says what it is told to and remembers what it heard. */
export class Caller {
  readonly link: Link
  readonly dialect: Dialect
  /** Everything that was sent to it, read or not. */
  readonly heard: Array<Heard> = []
  #challenge: { readonly remoteId: EventJournal.RemoteId; readonly challenge: Uint8Array } | undefined
  #nextId = 1

  constructor(server: Pick<Mountable, "connect">, options: LinkOptions, onHeard: OnHeard = () => {}) {
    this.dialect = dialectOf(options.protocol)
    const reader = dialectOf(options.protocol)
    this.link = new Link(server, options, {
      onSent: (frame) => {
        for (const heard of this.dialect.read(frame)) {
          if (heard.is === "hello") this.#challenge = heard
          this.heard.push(heard)
          onHeard(heard, this)
        }
      },
      onRead: (frame) => {
        for (const heard of reader.read(frame)) if (heard.is === "read up") this.link.frame(heard.frame)
      }
    })
    const hello = this.dialect.hello()
    if (hello !== undefined) this.link.frame(hello)
  }

  get nextId(): number {
    return this.#nextId++
  }

  /** A proof for the challenge that it knows, right or not; `undefined` while it knows none. */
  proof(publicKey: string, key: SigningKey): Effect.Effect<Proof | undefined> {
    const known = this.#challenge
    if (known === undefined) return Effect.succeed(undefined)
    return Effect.map(
      Effect.sync(() => signProof({ ...known, publicKey, key })),
      ({ _tag, ...proof }) => proof
    )
  }

  /** Proves a key, and waits until that is accepted. */
  prove(publicKey: string, key: SigningKey): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      yield* this.until(() => this.#challenge)
      const proof = yield* this.proof(publicKey, key)
      this.link.frame(this.dialect.authenticate(proof!))
      yield* this.until(() => this.heard.find(({ is }) => is === "proved"))
    })
  }

  /** Sends a write, and returns its id. */
  write(publicKey: string, entries: ReadonlyArray<EventJournal.Entry>): number {
    const id = this.nextId
    this.link.frame(this.dialect.write(id, this.dialect.writeBytes(id, publicKey, entries)))
    return id
  }

  /** Sends a write in parts, and returns its id. */
  writeInParts(publicKey: string, entries: ReadonlyArray<EventJournal.Entry>): number {
    const id = this.nextId
    for (const frame of this.partsOf(id, this.dialect.writeBytes(id, publicKey, entries))) this.link.frame(frame)
    return id
  }

  /** The frames of a write that travels in parts: two at least. */
  partsOf(id: number, bytes: Uint8Array): ReadonlyArray<Uint8Array> {
    const length = Math.min(partBytes, Math.ceil(bytes.length / 2))
    const total = Math.ceil(bytes.length / length)
    return Array.from({ length: total }, (_, index) => {
      const data = bytes.slice(index * length, (index + 1) * length)
      return this.dialect.part(id, { id, part: [index, total], data })
    })
  }

  /** The ids of the writes with an outcome, in the order of the answers. */
  ids(is: "acked" | "refused"): ReadonlyArray<number> {
    return this.heard.flatMap((heard) => (heard.is === is && "id" in heard ? [heard.id] : []))
  }

  /** Waits until `look` finds something: a proof takes real time. */
  until<A>(look: () => A | undefined): Effect.Effect<A> {
    return untilFound(Effect.sync(look))
  }
}

/** Turns of the event loop after which what was waited for won't come. */
const maxTurns = 200_000

/** Waits until something is found, for some turns of the event loop. */
export const untilFound = Effect.fnUntraced(function* <A>(look: Effect.Effect<A | undefined>): Effect.fn.Return<A> {
  for (let turn = 0; turn < maxTurns; turn++) {
    const found = yield* look
    if (found !== undefined) return found
    yield* Effect.promise(turnOfTheLoop)
  }
  return yield* Effect.die(new Error("It never came"))
})
