import { type Cause, Effect, Exit, Result } from "effect"
import { EventLogMessage, EventLogSessionAuth } from "effect/eventlog"
import type { StoreId } from "../../backend/StoreId.ts"
import { goOn, onFailed, recover } from "../../connection/atOnce.ts"
import type { Grants, IsMeant } from "../../connection/Grants.ts"
import type { Peer, ProtocolServices } from "../../connection/protocol.ts"
import { shuttingDown } from "../../connection/refusal.ts"
import { type DomainError, RequestError, reasonOf, reasons, toErrorFrame } from "../../wire/errors.ts"
import { entryBytes } from "../../wire/fields.ts"
import { entryCost, type Limits } from "../../wire/limits.ts"
import type { Answers, Failure } from "./Answers.ts"
import type { Call, Calls } from "./Calls.ts"
import type { Refused } from "./errors.ts"
import { bringsData, type Payload, type RpcTag, type Wire } from "./wire.ts"
import { decodeWrite, type Write } from "./writeEntries.ts"

/** What the calls of one connection act on. */
export interface HandlersContext extends Pick<ProtocolServices, "limits" | "now"> {
  readonly peer: Peer
  readonly wire: Wire
  readonly calls: Calls
  readonly answers: Answers
}

/** A stock client that hears it is not proved asks again at once. Where that helps later only, the answer takes so long. */
const askAgainMillis = 1_000

/** The store id that a stock client has unless it is told another. */
const defaultStoreId = "default"

const isMeantBy =
  (named: StoreId): IsMeant =>
  (mapped) =>
    named === defaultStoreId || named === mapped

const malformed = () => new RequestError({ reason: "Malformed", message: "The request can't be decoded" })
const tooBig = ({ maxMessageBytes }: Limits) =>
  new RequestError({ reason: "Limit", message: `A batch may have ${maxMessageBytes} bytes` })
const notProved = (message: string) => new RequestError({ reason: "NotProved", message })

/** What effect's own client may ask for, over the same rooms as the requests of ours. */
export class Handlers {
  readonly #context: HandlersContext

  constructor(context: HandlersContext) {
    this.#context = context
  }

  /**
   * Begins a call, and returns what is left to be done before the next one. Whatever is wrong with it is answered, or closes
   * the connection.
   */
  perform(call: Call): Effect.Effect<void> {
    const { tag } = call
    if (this.#context.peer.isEnded) return Effect.sync(() => this.#context.calls.settle(call))
    switch (tag) {
      case "EventLog.Hello":
        return this.#hello(call)
      case "EventLog.Authenticate":
        return this.#handle(call, tag, "Authenticate", (payload) => this.#authenticate(call, payload))
      case "EventLog.WriteSingle":
        return this.#handle(call, tag, "WriteEntries", ({ data }) => this.#write(call, data, () => {}))
      case "EventLog.WriteChunked":
        return this.#handle(call, tag, "WriteEntries", (part) => this.#writePart(call, part))
      case "EventLog.Changes":
        return this.#handle(call, tag, "Changes", (payload) => this.#changes(call, payload))
      default:
        // One of a newer client, which can do without.
        return Effect.sync(() => this.#answer(call, Exit.die("Unknown request tag")))
    }
  }

  #hello(call: Call): Effect.Effect<void> {
    const { grants, remoteId } = this.#context.peer
    return Effect.map(challengeOf(grants, this.#context.now()), (bytes) => {
      const challenge = bytes as Uint8Array<ArrayBuffer>
      this.#answer(call, Exit.succeed(new EventLogMessage.HelloResponse({ remoteId, challenge, firstSequence: 1 })))
    })
  }

  /** A peer that goes on guessing is told that its proof failed, and closed. */
  #authenticate(call: Call, payload: Payload<"EventLog.Authenticate">): Effect.Effect<void> {
    const { grants } = this.#context.peer
    const proved = Effect.map(this.#prove(payload), () => this.#answer(call, Exit.void))
    return Effect.catchCause(proved, (cause) =>
      Effect.andThen(
        this.#refuse(call, cause, { requestTag: "Authenticate" }),
        Effect.suspend(() => (grants.isExhausted ? this.#close(1008, "Too many proofs failed") : Effect.void))
      )
    )
  }

  /**
   * A stock client proves a key once, and takes a failure of that for good unless it says that the proof is missing. So an
   * outage says just that, and a key whose signature is right but which belongs to no store yet is no failure: it may act
   * as soon as it does.
   */
  #prove(payload: Payload<"EventLog.Authenticate">): Effect.Effect<void, DomainError> {
    const { now, peer } = this.#context
    const { challenge } = peer.grants
    if (challenge === undefined) return Effect.void
    if (challenge.current(now()) === undefined) {
      return Effect.fail(notProved("There is no challenge in force; say hello again"))
    }
    return peer.grants.prove(payload, true).pipe(
      Effect.catchIf(isNotMapped, () => Effect.void),
      Effect.catchIf(isRetryable, (error) => Effect.delay(Effect.fail(notProved(messageOf(error))), askAgainMillis))
    )
  }

  readonly #writePart = Effect.fnUntraced(function* (
    this: Handlers,
    call: Call,
    part: Payload<"EventLog.WriteChunked">
  ): Effect.fn.Return<void, Failure> {
    const { peer } = this.#context
    yield* peer.grants.require()
    const joined = yield* Effect.fromResult(peer.join({ ...part, _tag: "ChunkedMessage" }))
    if (joined === undefined) return this.#answerWritten(call)
    yield* this.#write(call, joined.bytes, () => joined.holding.release())
  })

  /** Nothing is decoded for a connection that has proved no key. */
  #write(call: Call, data: Uint8Array, release: () => void): Effect.Effect<void, Failure> {
    const { limits, peer } = this.#context
    const admitted = goOn(peer.grants.require(), () => peer.grants.room)
    const decoded = goOn(admitted, () => decodeWrite(data, limits.maxBatchEntries))
    const written = goOn(decoded, (write) => this.#writeDecoded(call, write, release))
    return onFailed(written, release)
  }

  /** The answer follows when the batch is durable. */
  #writeDecoded(call: Call, write: Write, release: () => void): Effect.Effect<void, Failure> {
    const { limits, peer } = this.#context
    const { entries, publicKey, storeId } = write
    // A name that is repeated takes a byte or two on its way, and its whole length in a storage.
    if (entries.reduce((sum, entry) => sum + entryBytes(entry), 0) > limits.maxMessageBytes) {
      return Effect.fail(tooBig(limits))
    }
    call.holding.grow(entries.length * entryCost)
    const refuse = (cause: Cause.Cause<Failure>) => {
      release()
      return this.#refuse(call, cause, { requestTag: "WriteEntries", publicKey, storeId })
    }
    const written = peer.grants.write({
      publicKey,
      entries,
      isMeant: isMeantBy(storeId),
      isDivisible: true,
      begun: () => call.holding.work(),
      complete: (exit) => {
        if (Exit.isFailure(exit)) return void peer.run(refuse(exit.cause))
        release()
        this.#answerWritten(call)
      }
    })
    return recover(written, refuse)
  }

  readonly #changes = Effect.fnUntraced(function* (
    this: Handlers,
    call: Call,
    { publicKey, startSequence, storeId }: Payload<"EventLog.Changes">
  ): Effect.fn.Return<void, Failure> {
    const { calls, peer } = this.#context
    const subscribe = peer.grants.subscribe({ publicKey, startSequence, isMeant: isMeantBy(storeId) })
    const opened = Effect.map(subscribe, (opened) => {
      calls.settle(call)
      if (call.isWanted) peer.subscriptions.start({ id: call.id, publicKey, storeId: opened.storeId }, opened)
    })
    yield* Effect.catchCause(opened, (cause) =>
      this.#refuse(call, cause, { requestTag: "Changes", publicKey, storeId })
    )
  })

  #handle<Tag extends RpcTag>(
    call: Call,
    tag: Tag,
    requestTag: string,
    use: (payload: Payload<Tag>) => Effect.Effect<void, Failure>
  ): Effect.Effect<void> {
    return recover(this.#use(call, tag, use), (cause) => this.#refuse(call, cause, { requestTag }))
  }

  #use<Tag extends RpcTag>(
    { payload }: Call,
    tag: Tag,
    use: (payload: Payload<Tag>) => Effect.Effect<void, Failure>
  ): Effect.Effect<void, Failure> {
    const { peer, wire } = this.#context
    // Whoever proves a key while the server closes is told so by the close: a stock client takes a refusal for good.
    if (peer.isClosing && tag !== "EventLog.Authenticate") return Effect.fail(shuttingDown())
    // It was too big to be kept before a key was proved: see `Wire.shrink`.
    if (bringsData(tag) && payload.byteLength === 0) return Effect.fail(notProved("This connection had proved no key"))
    try {
      const decoded = wire.payload(tag, payload)
      return Result.isFailure(decoded) ? Effect.fail(malformed()) : use(decoded.success)
    } catch (defect) {
      return Effect.die(defect)
    }
  }

  #refuse(call: Call, cause: Cause.Cause<Failure>, request: Refused): Effect.Effect<void> {
    this.#context.calls.settle(call)
    return this.#context.answers.refuse(call, cause, request)
  }

  #answer(call: Call, answer: Parameters<Answers["send"]>[1]): void {
    this.#context.calls.settle(call)
    this.#context.answers.send(call, answer)
  }

  #answerWritten(call: Call): void {
    this.#context.calls.settle(call)
    this.#context.answers.sendWritten(call)
  }

  #close(code: number, reason: string): Effect.Effect<void> {
    return Effect.sync(() => this.#context.peer.close(code, reason))
  }
}

/** What to sign. The same challenge again until it was answered: a client may ask twice before it answers. */
const challengeOf = ({ challenge }: Grants, now: number): Effect.Effect<Uint8Array> => {
  if (challenge === undefined) return Effect.orDie(EventLogSessionAuth.makeSessionAuthChallenge)
  const current = challenge.current(now)
  return current === undefined ? challenge.issue(now) : Effect.succeed(current)
}

const isNotMapped = (error: DomainError): boolean => reasonOf(error) === "NotMapped"
const isRetryable = (error: DomainError): boolean => reasons[reasonOf(error)].retryable
const messageOf = (error: DomainError): string => toErrorFrame(error, { requestTag: "Authenticate" }).message
