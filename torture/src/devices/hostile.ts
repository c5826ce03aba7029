import { randomBytes } from "node:crypto"
import { deriveSigningKey, generateIdentity, type SigningKey } from "@eventlog-server/core/client"
import {
  decodeResponseUnencrypted,
  encodeRequestUnencrypted,
  type ProtocolRequestUnencrypted,
  type ProtocolResponseUnencrypted
} from "@eventlog-server/core/protocol"
import { Effect, Result } from "effect"
import { EventJournal, type EventLog, EventLogSessionAuth } from "effect/eventlog"
import { WebSocket } from "ws"
import type { FinalDevice } from "../oracle/history.ts"
import type { Random } from "../random.ts"
import type { Recorder } from "../recorder.ts"
import { encodePayload } from "../schema.ts"
import { idOf, placedEntry, seenEntry } from "../seen.ts"

type Hello = Extract<ProtocolResponseUnencrypted, { readonly _tag: "Hello" }>

/** How long an attack lasts at most, in milliseconds. */
const attackMillis = 1_500

/** What a hostile device is given. */
export interface HostileOptions {
  readonly name: string
  readonly recorder: Recorder
  readonly random: Random
  readonly url: () => string
  /** A key of somebody else. */
  readonly victim: () => string
}

/** One connection that keeps to no rule. */
class Intruder {
  readonly socket: WebSocket
  readonly hello: Promise<Hello>

  constructor(url: string, onMessage: (message: ProtocolResponseUnencrypted) => void) {
    this.socket = new WebSocket(url, ["eventlog.v1"], { perMessageDeflate: false })
    this.socket.on("error", () => {})
    this.hello = new Promise((resolve, reject) => {
      this.socket.on("close", () => reject(new Error("closed")))
      this.socket.on("message", (data: Buffer) => {
        const message = Result.getOrUndefined(decodeResponseUnencrypted(Uint8Array.from(data)))
        if (message?._tag === "Hello") resolve(message)
        if (message !== undefined) onMessage(message)
      })
    })
    this.hello.catch(() => {})
  }

  send(message: ProtocolRequestUnencrypted): void {
    this.sendBytes(encodeRequestUnencrypted(message))
  }

  sendBytes(bytes: Uint8Array | string): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(bytes)
  }
}

/**
 * A device that belongs to no store and wants into all of them. Everything that it tries is written down as its own, so
 * that the oracle finds it where it must not be.
 */
export class Hostile {
  readonly name: string
  private readonly options: HostileOptions
  private readonly identity: EventLog.Identity["Service"]
  private readonly key: SigningKey

  private constructor(options: HostileOptions, identity: EventLog.Identity["Service"], key: SigningKey) {
    this.name = options.name
    this.options = options
    this.identity = identity
    this.key = key
  }

  static async make(options: HostileOptions): Promise<Hostile> {
    const identity = await Effect.runPromise(generateIdentity)
    return new Hostile(options, identity, await Effect.runPromise(deriveSigningKey(identity)))
  }

  readonly final = (): FinalDevice => ({
    device: this.name,
    publicKey: this.identity.publicKey,
    store: undefined,
    mustConverge: false,
    journal: []
  })

  /** Attacks once. It never fails: being cut off is what it has to expect. */
  async attack(): Promise<void> {
    const intruder = new Intruder(this.options.url(), (message) => this.note(message))
    const timer = setTimeout(() => intruder.socket.terminate(), attackMillis)
    try {
      const hello = await intruder.hello
      await this.options.random.pick(this.attacks)(intruder, hello)
      await new Promise((resolve) => intruder.socket.once("close", resolve))
    } catch {
      // Cut off.
    } finally {
      clearTimeout(timer)
      intruder.socket.terminate()
    }
  }

  private readonly attacks: ReadonlyArray<(intruder: Intruder, hello: Hello) => void | Promise<void>> = [
    (intruder) => this.claim(intruder),
    async (intruder, hello) => {
      intruder.send(await this.proof(hello, this.options.victim()))
      this.claim(intruder)
    },
    async (intruder, hello) => {
      intruder.send(await this.proof(hello, this.identity.publicKey))
      this.claim(intruder)
    },
    (intruder) => {
      for (let count = 0; count < 40; count++) intruder.sendBytes(randomBytes(1 + this.options.random.upTo(200)))
    },
    (intruder) => {
      const frame = encodeRequestUnencrypted(this.theft())
      for (let count = 0; count < 40; count++) {
        const broken = Uint8Array.from(frame)
        broken[this.options.random.upTo(frame.byteLength - 1)] = this.options.random.upTo(255)
        intruder.sendBytes(broken.subarray(0, 1 + this.options.random.upTo(frame.byteLength - 1)))
      }
    },
    (intruder) => intruder.sendBytes("text, where bytes belong"),
    (intruder) => {
      const data = new Uint8Array(16_000)
      for (let id = 0; id < 200; id++) intruder.send({ _tag: "ChunkedMessage", id, part: [id % 7, 0xffff_ffff], data })
    },
    (intruder) => intruder.sendBytes(new Uint8Array(900_000)),
    (intruder) => {
      for (let id = 0; id < 5_000; id++) intruder.send({ _tag: "Ping", id })
    }
  ]

  /** Reads and writes in the name of somebody else. */
  private claim(intruder: Intruder): void {
    const publicKey = this.options.victim()
    intruder.send(this.theft())
    intruder.send({ _tag: "RequestChanges", publicKey, startSequence: 0, id: 2 })
    intruder.send({ _tag: "StopChanges", publicKey })
  }

  private theft(): ProtocolRequestUnencrypted {
    const payload = encodePayload({ key: "key 0", text: `by ${this.name}` }) as Uint8Array<ArrayBuffer>
    const id = EventJournal.makeEntryIdUnsafe()
    const entry = new EventJournal.Entry({ id, event: "Added", primaryKey: "key 0", payload }, { disableChecks: true })
    const request = `${this.name}.${idOf(id)}`
    this.options.recorder.record({ kind: "made", device: this.name, entry: seenEntry(entry) })
    this.options.recorder.record({ kind: "sent", device: this.name, request, ids: [idOf(id)] })
    return { _tag: "WriteEntries", id: 1, publicKey: this.options.victim(), entries: [entry] }
  }

  /** A proof with its own signing key, for whichever public key. */
  private async proof({ challenge, remoteId }: Hello, publicKey: string): Promise<ProtocolRequestUnencrypted> {
    const claim = {
      remoteId,
      challenge: challenge ?? new Uint8Array(32),
      publicKey,
      signingPublicKey: this.key.publicKey
    }
    const payload = await Effect.runPromise(EventLogSessionAuth.encodeSessionAuthPayload(claim))
    const signature = await Effect.runPromise(this.key.sign(payload))
    return { _tag: "Authenticate", publicKey, signingPublicKey: this.key.publicKey, signature, algorithm: "Ed25519" }
  }

  /** What a server granted. Nothing of it should ever come. */
  private note(message: ProtocolResponseUnencrypted): void {
    const device = this.name
    const { record } = this.options.recorder
    if (message._tag === "Ack") record({ kind: "acked", device, request: "forged", sequences: message.sequenceNumbers })
    if (message._tag !== "Changes") return
    record({ kind: "delivered", device, subscription: "forged", entries: message.entries.map(placedEntry) })
  }
}
