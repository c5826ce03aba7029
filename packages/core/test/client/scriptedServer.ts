import { Effect, Queue, Result, type Scope } from "effect"
import { EventJournal, EventLogSessionAuth } from "effect/eventlog"
import { type WebSocket, WebSocketServer } from "ws"
import {
  type AnnouncedLimits,
  announcedLimits,
  ChunkJoiner,
  decodeRequestUnencrypted,
  defaultLimits,
  type ErrorReason,
  encodeResponseUnencrypted,
  type ProtocolRequestUnencrypted,
  type ProtocolResponseUnencrypted,
  reasons,
  splitMessage,
  subprotocol
} from "../../src/wire/index.ts"

type Request = ProtocolRequestUnencrypted
type Tagged<Tag extends Request["_tag"]> = Extract<Request, { readonly _tag: Tag }>
type Response = ProtocolResponseUnencrypted

/** One accepted websocket. The test says what the server does. */
export class Peer {
  readonly socket: WebSocket
  readonly protocol: string
  /** The frames that came, before chunks were put together. */
  readonly frames: Array<Uint8Array> = []
  /** Completes with the close code that the client sent, or 1006. */
  readonly closed: Promise<number>
  readonly #requests: Queue.Queue<Request>
  readonly #waiting: Array<Request> = []
  /** Whether pings are answered. */
  answersPings = true

  constructor(socket: WebSocket, requests: Queue.Queue<Request>) {
    this.socket = socket
    this.protocol = socket.protocol
    this.#requests = requests
    const joiner = new ChunkJoiner(defaultLimits)
    socket.on("message", (data: Buffer) => {
      const frame = new Uint8Array(data)
      this.frames.push(frame)
      const request = Result.getOrThrow(decodeRequestUnencrypted(frame))
      if (request._tag !== "ChunkedMessage") return this.#take(request)
      const joined = Result.getOrThrow(joiner.add(request))
      if (joined !== undefined) this.#take(Result.getOrThrow(decodeRequestUnencrypted(joined)))
    })
    this.closed = new Promise((resolve) => socket.once("close", resolve))
  }

  #take(request: Request): void {
    if (request._tag === "Ping" && this.answersPings) this.send({ _tag: "Pong", id: request.id })
    Queue.offerUnsafe(this.#requests, request)
  }

  /** Sends a message, in chunks of `partBytes` if that is given. */
  send(message: Response, partBytes?: number): void {
    for (const frame of splitMessage(encodeResponseUnencrypted(message), 1, partBytes)) this.socket.send(frame)
  }

  sendBytes(bytes: Uint8Array | string): void {
    this.socket.send(bytes)
  }

  makeHello(
    options: { remoteId?: EventJournal.RemoteId; challenge?: Uint8Array; limits?: Partial<AnnouncedLimits> } = {}
  ): Extract<Response, { readonly _tag: "Hello" }> {
    return {
      _tag: "Hello",
      remoteId: options.remoteId ?? remoteId,
      protocol: 1,
      limits: { ...announcedLimits(defaultLimits), ...options.limits },
      ...(options.challenge === undefined ? {} : { challenge: options.challenge })
    }
  }

  hello(options: Parameters<Peer["makeHello"]>[0] = {}): void {
    this.send(this.makeHello(options))
  }

  ack(request: Tagged<"WriteEntries">, first = 1): void {
    this.send({ _tag: "Ack", id: request.id, sequenceNumbers: request.entries.map((_, index) => first + index) })
  }

  /** Refuses a request as the real server's table would. */
  refuse(
    request: Request,
    reason: ErrorReason,
    options: { message?: string; entryIds?: ReadonlyArray<Uint8Array> } = {}
  ) {
    this.send({
      _tag: "Error",
      requestTag: request._tag,
      ...("id" in request && request.id !== undefined ? { id: request.id } : {}),
      ...("publicKey" in request ? { publicKey: request.publicKey } : {}),
      ...reasons[reason],
      reason,
      message: options.message ?? reason,
      ...(options.entryIds === undefined ? {} : { entryIds: options.entryIds })
    })
  }

  changes(request: Tagged<"RequestChanges">, entries: ReadonlyArray<readonly [number, EventJournal.Entry]>): void {
    this.send(changesOf(request, entries))
  }

  /** The next request with this tag; others are kept for later calls. */
  next<Tag extends Request["_tag"]>(tag: Tag): Effect.Effect<Tagged<Tag>> {
    return Effect.gen({ self: this }, function* () {
      while (true) {
        const index = this.#waiting.findIndex((request) => request._tag === tag)
        if (index >= 0) return this.#waiting.splice(index, 1)[0] as Tagged<Tag>
        this.#waiting.push(yield* Queue.take(this.#requests))
      }
    })
  }

  /** How many requests with this tag came and were not asked for. */
  waitingFor(tag: Request["_tag"]): number {
    this.#waiting.push(...Effect.runSync(Queue.clear(this.#requests)))
    return this.#waiting.filter((request) => request._tag === tag).length
  }

  /** Whether a proof is right for a challenge. */
  verify(request: Tagged<"Authenticate">, challenge: Uint8Array): Effect.Effect<boolean> {
    return EventLogSessionAuth.verifySessionAuthenticateRequest({ ...request, remoteId, challenge }).pipe(Effect.orDie)
  }
}

export const changesOf = (
  request: { readonly publicKey: string; readonly id?: number },
  entries: ReadonlyArray<readonly [number, EventJournal.Entry]>
): Response => ({
  _tag: "Changes",
  publicKey: request.publicKey,
  ...(request.id === undefined ? {} : { id: request.id }),
  entries: entries.map(
    ([remoteSequence, entry]) => new EventJournal.RemoteEntry({ remoteSequence, entry }, { disableChecks: true })
  )
})

/** The id of a scripted server, unless a test says otherwise. */
export const remoteId = Uint8Array.from({ length: 16 }, (_, index) => index) as EventJournal.RemoteId

export interface ScriptedServer {
  readonly url: string
  /** The next websocket that a client opens. */
  readonly accept: Effect.Effect<Peer>
}

/** A websocket server that does what a test says. It is closed with the scope, whatever is open. */
export const scriptedServer: Effect.Effect<ScriptedServer, never, Scope.Scope> = Effect.gen(function* () {
  const peers = yield* Queue.unbounded<Peer>()
  const server = yield* Effect.acquireRelease(
    Effect.callback<WebSocketServer>((resume) => {
      const server = new WebSocketServer({
        port: 0,
        host: "127.0.0.1",
        handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false)
      })
      server.once("listening", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        for (const client of server.clients) client.terminate()
        server.close(() => resume(Effect.void))
      })
  )
  server.on("connection", (socket) => {
    const requests = Effect.runSync(Queue.unbounded<Request>())
    Queue.offerUnsafe(peers, new Peer(socket, requests))
  })
  const { port } = server.address() as { port: number }
  return { url: `ws://127.0.0.1:${port}`, accept: Queue.take(peers) }
})
