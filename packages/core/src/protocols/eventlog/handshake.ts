import { Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { ConversationServices, Peer } from "../../connection/conversation.ts"
import type { Proofs } from "../../connection/proofs.ts"
import type { Requests } from "../../connection/requests.ts"
import type { DomainError } from "../../wire/errors.ts"
import { announcedLimits } from "../../wire/limits.ts"
import { type Authenticate, protocolVersion } from "../../wire/messages.ts"
import type { Outbound } from "./outbound.ts"

/** What a handshake needs of its connection. */
export interface HandshakeContext {
  readonly services: Pick<ConversationServices, "limits" | "now">
  readonly peer: Peer
  readonly outbound: Outbound
  readonly requests: Requests
  /** Absent where connections need not prove their keys (`sessionAuth: "off"`). */
  readonly proofs: Proofs | undefined
  readonly remoteId: EventJournal.RemoteId
}

/** How the two sides of one connection get to know each other: the server's `Hello`, and the proofs that answer it. */
export class Handshake {
  private readonly context: HandshakeContext

  constructor(context: HandshakeContext) {
    this.context = context
  }

  /** What the peer was told that the server is. */
  get remoteId(): EventJournal.RemoteId {
    return this.context.remoteId
  }

  /** Whether the peer proved a key, or need not. Until then it is allowed very little. */
  get isTrusted(): boolean {
    const { proofs } = this.context
    return proofs === undefined || proofs.size > 0
  }

  hasProved(publicKey: string): boolean {
    return this.context.proofs?.get(publicKey) !== undefined
  }

  /** Forgets a proved key: its binding changed, or its access ended. */
  revoke(publicKey: string): void {
    this.context.proofs?.revoke(publicKey)
  }

  /** Says who the server is and what it takes, with a challenge where it wants proofs. */
  get hello(): Effect.Effect<void> {
    const { outbound, proofs, remoteId, services } = this.context
    const challenge = proofs?.issue(services.now()) ?? Effect.succeed(undefined)
    return Effect.map(challenge, (challenge) => {
      outbound.send({
        _tag: "Hello",
        remoteId,
        protocol: protocolVersion,
        limits: announcedLimits(services.limits),
        ...(challenge === undefined ? {} : { challenge })
      })
    })
  }

  /** Proves a key; the answer carries the challenge for the next one. */
  authenticate(message: typeof Authenticate.Type): Effect.Effect<void, DomainError> {
    const { outbound, proofs, requests, services } = this.context
    return Effect.gen(function* () {
      yield* requests.accept(yield* requests.verify(message))
      const challenge = yield* proofs!.issue(services.now())
      outbound.send({ _tag: "Authenticated", publicKey: message.publicKey, challenge })
    })
  }

  /**
   * A proof uses the challenge up. A successful one was answered with the next; after a failed one the peer gets a new
   * `Hello`, unless it failed so often that it must be guessing.
   */
  get challengeAgain(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { peer, proofs } = this.context
      if (proofs === undefined || proofs.hasChallenge || peer.isEnded()) return Effect.void
      if (proofs.isExhausted) return Effect.sync(() => peer.close(1008, "Too many proofs failed"))
      return this.hello
    })
  }
}
