import { Effect, Result, type Scope } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { TransportListener } from "../../connection/Transport.ts"
import { decodeResponseUnencrypted, encodeRequestUnencrypted } from "../../wire/codec.ts"
import type { ProtocolRequestUnencrypted, ProtocolResponseUnencrypted } from "../../wire/messages.ts"
import type { Server } from "./server.ts"

type Tag = ProtocolResponseUnencrypted["_tag"]

/** A message of the server. */
export type Response<T extends Tag> = Extract<ProtocolResponseUnencrypted, { readonly _tag: T }>

/** A device with one key that speaks the protocol over a connection within the process. */
export class Device {
  readonly publicKey: string
  private readonly listener: TransportListener
  private readonly received: Array<ProtocolResponseUnencrypted> = []
  private readonly watchers = new Set<() => void>()
  private closed: string | undefined
  private nextId = 1

  private constructor(server: Server, publicKey: string) {
    this.publicKey = publicKey
    // Frames arrive later, as they do over a network: the server is never called while it sends.
    this.listener = server.connect(
      {
        send: (frame) => queueMicrotask(() => this.receive(frame)),
        bufferedBytes: () => 0,
        close: (code, reason) => queueMicrotask(() => this.end(`${code} ${reason}`))
      },
      { remoteAddress: undefined, headers: {}, principal: undefined }
    )
  }

  /** Connects and waits for `Hello`. The connection ends with the test. */
  static open(server: Server, publicKey: string): Effect.Effect<Device, Error, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => new Device(server, publicKey)),
      (device) => device.cut
    ).pipe(Effect.tap((device) => device.next("Hello")))
  }

  /** Loses the connection. */
  readonly cut: Effect.Effect<void> = Effect.sync(() => this.end("cut by the test"))

  /** Waits until the server closes the connection, and returns with which code and reason. */
  readonly untilClosed: Effect.Effect<string> = Effect.suspend(() =>
    this.until((): undefined => undefined).pipe(
      Effect.catch(() => Effect.void),
      Effect.andThen(Effect.sync(() => this.closed ?? ""))
    )
  )

  /** Writes a batch and waits for its answer. */
  write(entries: ReadonlyArray<EventJournal.Entry>): Effect.Effect<Response<"Ack"> | Response<"Error">, Error> {
    return Effect.suspend(() => {
      const id = this.nextId++
      this.send({ _tag: "WriteEntries", id, publicKey: this.publicKey, entries })
      return this.until(() =>
        this.received.find(
          (message): message is Response<"Ack"> | Response<"Error"> =>
            (message._tag === "Ack" || message._tag === "Error") && message.id === id
        )
      )
    })
  }

  /** Subscribes, in place of what it had subscribed to, and waits for the answer. */
  subscribe(startSequence = 0): Effect.Effect<Response<"Subscribed"> | Response<"Error">, Error> {
    return Effect.suspend(() => {
      const id = this.nextId++
      this.send({ _tag: "RequestChanges", publicKey: this.publicKey, startSequence, id })
      return this.until(() =>
        this.received.find(
          (message): message is Response<"Subscribed"> | Response<"Error"> =>
            (message._tag === "Subscribed" || message._tag === "Error") && message.id === id
        )
      )
    })
  }

  /** Sends a message that is answered, if at all, by a `next`. */
  send(message: ProtocolRequestUnencrypted): void {
    this.listener.receive(encodeRequestUnencrypted(message))
  }

  /** The first message of a tag (that fits), whether it has come or will. */
  next<T extends Tag>(tag: T, fits: (message: Response<T>) => boolean = () => true): Effect.Effect<Response<T>, Error> {
    return this.until(() =>
      this.received.find((message): message is Response<T> => message._tag === tag && fits(message as Response<T>))
    )
  }

  /** Everything that its subscriptions delivered, in order. */
  get delivered(): ReadonlyArray<EventJournal.RemoteEntry> {
    return this.received.flatMap((message) => (message._tag === "Changes" ? message.entries : []))
  }

  /** Waits until so many entries were delivered, and answers all that were. Fails when a subscription is ended first. */
  untilDelivered(count: number): Effect.Effect<ReadonlyArray<EventJournal.RemoteEntry>, Error> {
    return this.until(() => {
      const { delivered } = this
      if (delivered.length >= count) return delivered
      const refusal = this.received.find(
        (message): message is Response<"Error"> => message._tag === "Error" && message.requestTag === "RequestChanges"
      )
      return refusal && new Error(`The subscription ended after ${delivered.length} entries: ${refusal.message}`)
    })
  }

  /** Waits until `look` finds something; fails when it finds an error, or the connection ends first. */
  private until<A>(look: () => A | Error | undefined): Effect.Effect<A, Error> {
    return Effect.callback<A, Error>((resume) => {
      const watcher = () => {
        const found = look()
        if (found instanceof Error) resume(Effect.fail(found))
        else if (found !== undefined) resume(Effect.succeed(found))
        else if (this.closed !== undefined) resume(Effect.fail(new Error(`The connection ended: ${this.closed}`)))
        else return
        this.watchers.delete(watcher)
      }
      this.watchers.add(watcher)
      watcher()
      return Effect.sync(() => this.watchers.delete(watcher))
    })
  }

  private receive(frame: Uint8Array): void {
    if (this.closed !== undefined) return
    const message = Result.getOrThrow(decodeResponseUnencrypted(frame))
    if (message._tag === "Ping") this.send({ _tag: "Pong", id: message.id })
    this.received.push(message)
    this.notify()
  }

  private end(why: string): void {
    if (this.closed !== undefined) return
    this.closed = why
    this.listener.closed()
    this.notify()
  }

  private notify(): void {
    for (const watcher of [...this.watchers]) watcher()
  }
}
