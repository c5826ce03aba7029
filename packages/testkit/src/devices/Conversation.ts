import {
  ChunkJoiner,
  decodeResponseUnencrypted,
  defaultLimits,
  encodeRequestUnencrypted,
  type ProtocolRequestUnencrypted,
  type ProtocolResponseUnencrypted,
  splitMessage
} from "@eventlog-server/core/protocol"
import { Result } from "effect"
import type { EventJournal } from "effect/eventlog"
import { type Proof, type SigningKey, signProof } from "../signing/index.ts"

/** A message of the server with this tag. */
export type Response<Tag extends ProtocolResponseUnencrypted["_tag"]> = Extract<
  ProtocolResponseUnencrypted,
  { readonly _tag: Tag }
>

/** What a device and a server said to each other in eventlog.v1, over whatever lies between them. */
export class Conversation {
  /** What the server said, in order; chunks are put together. */
  readonly received: Array<ProtocolResponseUnencrypted> = []
  readonly #send: (frame: Uint8Array) => void
  readonly #joiner = new ChunkJoiner(defaultLimits)
  readonly #watchers = new Set<() => void>()
  #nextId = 1

  /** @param send sends a frame to the server */
  constructor(send: (frame: Uint8Array) => void) {
    this.#send = send
  }

  /** An id that no request had yet. */
  takeId(): number {
    return this.#nextId++
  }

  /** Sends a request, in chunks where it is big. */
  send(message: ProtocolRequestUnencrypted): void {
    for (const frame of splitMessage(encodeRequestUnencrypted(message), this.takeId())) this.#send(frame)
  }

  /** Takes a frame from the server. Returns its message, unless that is not complete. */
  take(frame: Uint8Array): ProtocolResponseUnencrypted | undefined {
    const message = Result.getOrThrow(decodeResponseUnencrypted(frame))
    if (message._tag !== "ChunkedMessage") {
      this.received.push(message)
      return message
    }
    const joined = Result.getOrThrow(this.#joiner.add(message))
    return joined === undefined ? undefined : this.take(joined)
  }

  /** Has those look again who wait for something. */
  notify(): void {
    for (const watcher of [...this.#watchers]) watcher()
  }

  /** Looks now and whenever something happened, until what is returned is called or `look` returns true. */
  watch(look: () => boolean): () => void {
    const watcher = () => {
      if (look()) this.#watchers.delete(watcher)
    }
    this.#watchers.add(watcher)
    watcher()
    return () => this.#watchers.delete(watcher)
  }

  /** The messages with a tag. */
  all<Tag extends ProtocolResponseUnencrypted["_tag"]>(tag: Tag): ReadonlyArray<Response<Tag>> {
    return this.received.filter((message): message is Response<Tag> => message._tag === tag)
  }

  /** The latest challenge, signed. */
  proof(publicKey: string, key: SigningKey): Proof {
    const latest = this.received.findLast((message) => message._tag === "Hello" || message._tag === "Authenticated")
    const { challenge } = latest as Response<"Authenticated">
    return signProof({ remoteId: this.remoteId, challenge, publicKey, key })
  }

  /** Who the server said that it is. */
  get remoteId(): EventJournal.RemoteId {
    return this.all("Hello")[0]!.remoteId
  }
}
