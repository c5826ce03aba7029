import { type Cause, Effect, Exit, Result } from "effect"
import { type EventJournal, EventLogMessage } from "effect/eventlog"
import type { StoreId } from "../../backend/StoreId.ts"
import type { Peer } from "../../connection/conversation.ts"
import { checkPublicKey } from "../../connection/publicKey.ts"
import { type IsMeant, type Requests, shuttingDown } from "../../connection/requests.ts"
import { ChunkJoiner } from "../../wire/chunks.ts"
import { RequestError } from "../../wire/errors.ts"
import type { Limits } from "../../wire/limits.ts"
import type { Answers, Failure } from "./Answers.ts"
import type { Call, Calls } from "./Calls.ts"
import type { Refused } from "./errors.ts"
import type { Keys } from "./Keys.ts"
import type { Streams } from "./Streams.ts"
import type { Payload, RpcTag, Wire } from "./wire.ts"
import { decodeWrite } from "./writeEntries.ts"

/** What the calls of one connection act on. */
export interface HandlersContext {
  readonly remoteId: EventJournal.RemoteId
  readonly limits: Limits
  readonly peer: Peer
  readonly wire: Wire
  readonly keys: Keys
  readonly requests: Requests
  readonly streams: Streams
  readonly calls: Calls
  readonly answers: Answers
}

/** The store id that a stock client has unless it is told another. */
const defaultStoreId = "default"

const isMeantBy =
  (named: StoreId): IsMeant =>
  (mapped) =>
    named === defaultStoreId || named === mapped

const malformed = () => new RequestError({ reason: "Malformed", message: "The request can't be decoded" })
const tooMany = () => new RequestError({ reason: "RateLimited", message: "Too many requests" })

/** What effect's own client may ask for, over the same rooms as the requests of ours. */
export class Handlers {
  private readonly context: HandlersContext
  private readonly joiner: ChunkJoiner

  constructor(context: HandlersContext) {
    this.context = context
    this.joiner = new ChunkJoiner(context.limits)
  }

  /** Begins a call. Whatever is wrong with it is answered, or closes the connection. */
  perform(call: Call): Effect.Effect<void> {
    const { tag } = call
    switch (tag) {
      case "EventLog.Hello":
        return call.isAdmitted ? this.hello(call) : this.close(1008, "Too many messages")
      case "EventLog.Authenticate":
        return this.handle(call, tag, "Authenticate", (payload) => this.authenticate(call, payload))
      case "EventLog.WriteSingle":
        return this.handle(call, tag, "WriteEntries", ({ data }) => this.write(call, data))
      case "EventLog.WriteChunked":
        return this.handle(call, tag, "WriteEntries", (part) => this.writePart(call, part))
      case "EventLog.Changes":
        return this.handle(call, tag, "Changes", (payload) => this.changes(call, payload))
      default:
        // One of a newer client, which can do without.
        return Effect.sync(() => this.answer(call, Exit.die("Unknown request tag")))
    }
  }

  private hello(call: Call): Effect.Effect<void> {
    const { keys, remoteId } = this.context
    return Effect.map(keys.challenge, (bytes) => {
      const challenge = bytes as Uint8Array<ArrayBuffer>
      this.answer(call, Exit.succeed(new EventLogMessage.HelloResponse({ remoteId, challenge, firstSequence: 1 })))
    })
  }

  /** A peer that goes on guessing is told that its proof failed, and closed. */
  private authenticate(call: Call, payload: Payload<"EventLog.Authenticate">): Effect.Effect<void> {
    const { keys } = this.context
    const proved = Effect.map(keys.prove(payload), () => this.answer(call, Exit.void))
    return Effect.catchCause(proved, (cause) =>
      Effect.andThen(
        this.refuse(call, cause, { requestTag: "Authenticate" }),
        Effect.suspend(() => (keys.isExhausted ? this.close(1008, "Too many proofs failed") : Effect.void))
      )
    )
  }

  private readonly writePart = Effect.fnUntraced(function* (
    this: Handlers,
    call: Call,
    part: Payload<"EventLog.WriteChunked">
  ): Effect.fn.Return<void, Failure> {
    yield* this.context.keys.require()
    const joined = yield* Effect.fromResult(this.joiner.add({ ...part, _tag: "ChunkedMessage" }))
    if (joined === undefined) return this.answer(call, Exit.succeed([]))
    yield* this.write(call, joined)
  })

  /** The answer follows when the batch is durable. Nothing is decoded for a connection that has proved no key. */
  private readonly write = Effect.fnUntraced(function* (
    this: Handlers,
    call: Call,
    data: Uint8Array
  ): Effect.fn.Return<void, Failure> {
    const { inbound, run } = this.context.peer
    yield* this.context.keys.require()
    inbound.hold(data.byteLength)
    const release = () => inbound.release(data.byteLength)
    const decode = decodeWrite(data, this.context.limits.maxBatchEntries)
    const request = yield* Effect.onError(decode, () => Effect.sync(release))
    const refused = { requestTag: "WriteEntries", publicKey: request.publicKey, storeId: request.storeId }
    const write = this.requireKey(request.publicKey).pipe(
      Effect.andThen(
        this.context.requests.write(
          request,
          (exit) => {
            release()
            if (Exit.isSuccess(exit)) return this.answer(call, Exit.succeed([]))
            run(this.refuse(call, exit.cause, refused))
          },
          isMeantBy(request.storeId)
        )
      ),
      Effect.onError(() => Effect.sync(release))
    )
    yield* Effect.catchCause(write, (cause) => this.refuse(call, cause, refused))
  })

  private readonly changes = Effect.fnUntraced(function* (
    this: Handlers,
    call: Call,
    payload: Payload<"EventLog.Changes">
  ): Effect.fn.Return<void, Failure> {
    const { publicKey, storeId } = payload
    const { requests, streams } = this.context
    const subscribe = Effect.andThen(this.requireKey(publicKey), requests.subscribe(payload, isMeantBy(storeId)))
    const opened = Effect.map(subscribe, (opened) => {
      this.settle(call)
      if (call.isWanted) streams.start(call.id, publicKey, opened)
    })
    yield* Effect.catchCause(opened, (cause) => this.refuse(call, cause, { requestTag: "Changes", publicKey, storeId }))
  })

  private requireKey(publicKey: string): Effect.Effect<void, RequestError> {
    const flaw = checkPublicKey(publicKey, this.context.limits)
    return flaw === undefined ? this.context.keys.require(publicKey) : Effect.fail(flaw)
  }

  private handle<Tag extends RpcTag>(
    call: Call,
    tag: Tag,
    requestTag: string,
    use: (payload: Payload<Tag>) => Effect.Effect<void, Failure>
  ): Effect.Effect<void> {
    const used = Effect.suspend((): Effect.Effect<void, Failure> => {
      if (!call.isAdmitted) return Effect.fail(tooMany())
      // Whoever proves a key while the server closes is told so by the close: a stock client takes a refusal for good.
      if (this.context.peer.isClosing() && tag !== "EventLog.Authenticate") return Effect.fail(shuttingDown())
      const payload = this.context.wire.payload(tag, call.payload)
      return Result.isFailure(payload) ? Effect.fail(malformed()) : use(payload.success)
    })
    return Effect.catchCause(used, (cause) => this.refuse(call, cause, { requestTag }))
  }

  private refuse(call: Call, cause: Cause.Cause<Failure>, request: Refused): Effect.Effect<void> {
    this.settle(call)
    return this.context.answers.refuse(call, cause, request)
  }

  private answer(call: Call, answer: Parameters<Answers["send"]>[1]): void {
    this.settle(call)
    this.context.answers.send(call, answer)
  }

  /** Lets go of a call, once. */
  private settle(call: Call): void {
    const { calls, peer } = this.context
    if (calls.settle(call)) peer.inbound.release(call.payload.byteLength)
  }

  private close(code: number, reason: string): Effect.Effect<void> {
    return Effect.sync(() => this.context.peer.close(code, reason))
  }
}
