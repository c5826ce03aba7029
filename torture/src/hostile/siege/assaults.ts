import { setTimeout as sleep } from "node:timers/promises"
import { encodeRequestUnencrypted } from "@eventlog-server/core/protocol"
import type { Device } from "../peers/device.ts"
import { EventLogPeer } from "../peers/EventLogPeer.ts"
import { factOf, minimalEntry, oldId } from "../peers/entries.ts"
import type { SocketOptions } from "../peers/PeerSocket.ts"
import { encodeWrite, RpcPeer } from "../peers/RpcPeer.ts"
import { encodeMessage, encodePayloadOf } from "../peers/rpcCodecs.ts"

/** One life of a hostile peer. */
export interface Life {
  readonly url: string
  /** The address that it comes from. */
  readonly from: string
  /** A public key that nobody else uses. */
  readonly key: string
}

/** One kind of hostile peer. */
export interface Assault {
  readonly name: string
  /** How many there are, compared with other kinds. */
  readonly weight: number
  /** How it connects. */
  readonly open: (life: Life) => Device
  /** What it does then; it stays connected afterwards. It may reject: being cut off is what it has to expect. */
  readonly act: (peer: Device, life: Life) => Promise<void>
}

/** Milliseconds between what a peer sends again and again: thousands of them make a flood. */
const pace = 1_000

const again = async (peer: Device, frame: Uint8Array): Promise<void> => {
  await peer.socket.opened
  while (peer.socket.isOpen) {
    if (peer.socket.bufferedBytes === 0) peer.socket.send(frame)
    await sleep(pace * (0.5 + Math.random()))
  }
}

const eventLog =
  (options: SocketOptions = {}) =>
  ({ from, url }: Life) =>
    new EventLogPeer(url, { ...options, from })

const rpc =
  (options: SocketOptions = {}) =>
  ({ from, url }: Life) =>
    new RpcPeer(url, { ...options, from })

const mute: SocketOptions = { isMute: true }
const nothing = async (): Promise<void> => {}

// Frames are made once: what they cost their sender is not what a siege is about.
const hello = encodePayloadOf("Hello", undefined)
const ping = encodeMessage({ _tag: "Ping" })
const callWith = (id: string, headers: ReadonlyArray<readonly [string, string]>): Uint8Array =>
  encodeMessage({ _tag: "Request", id, tag: "EventLog.Hello", payload: hello, headers })
const longName = callWith("n".repeat(900_000), [])
const manyHeaders = callWith("1", new Array(170_000).fill(["a", "b"]))
const pong = encodeRequestUnencrypted({ _tag: "Pong", id: 1 })
const malformed = encodeRequestUnencrypted({
  _tag: "RequestChanges",
  publicKey: "k".repeat(15_000),
  startSequence: 0.5
})
const badProof = encodeRequestUnencrypted({
  _tag: "Authenticate",
  publicKey: "nobody",
  signingPublicKey: new Uint8Array(32),
  signature: new Uint8Array(64),
  algorithm: "Ed25519"
})
/** More entries than a write may have, of a store that the server doesn't let the key into anyway. */
const tooMany = encodeWrite("nobody", new Array(150_000).fill(minimalEntry()))

/** Every kind of hostile peer. Those that make the server work hard are few, those that only take places are many. */
export const assaults: ReadonlyArray<Assault> = [
  { name: "camps", weight: 100, open: eventLog(), act: (peer) => again(peer, pong) },
  { name: "camps on rpc", weight: 50, open: rpc(), act: (peer) => again(peer, ping) },
  { name: "never reads", weight: 60, open: eventLog(mute), act: nothing },
  { name: "never reads rpc", weight: 30, open: rpc(mute), act: nothing },
  { name: "pings and never reads", weight: 60, open: rpc(mute), act: (peer) => again(peer, ping) },
  { name: "malformed and never reads", weight: 60, open: eventLog(mute), act: (peer) => again(peer, malformed) },
  { name: "proofs that fail", weight: 30, open: eventLog(), act: (peer) => again(peer, badProof) },
  { name: "long names", weight: 4, open: rpc(), act: (peer) => again(peer, longName) },
  { name: "many headers", weight: 4, open: rpc(), act: (peer) => again(peer, manyHeaders) },
  {
    name: "waits for a proof",
    weight: 30,
    open: eventLog(),
    act: (peer, { key }) => peer.prove(`never/${key}`)
  },
  {
    name: "subscribes and never reads",
    weight: 30,
    open: eventLog(),
    act: async (peer, { key }) => {
      await peer.prove(key)
      void peer.subscribe(key, () => {})
      peer.socket.mute()
    }
  },
  {
    name: "hangs handlers",
    weight: 20,
    open: eventLog(),
    act: async (peer, { key }) => {
      await peer.prove(key)
      await peer.write(key, [factOf("Hung", "key", "text")])
    }
  },
  {
    name: "conflicts",
    weight: 10,
    open: eventLog(),
    act: async (peer, { key }) => {
      await peer.prove(key)
      await peer.write(key, [factOf("Added", "key", "t".repeat(10_000))])
      const old = Array.from({ length: 50 }, (_, index) => factOf("Added", "key", "old", oldId(60_000 + index)))
      await peer.write(key, old)
    }
  },
  {
    name: "big writes",
    weight: 1,
    open: rpc(),
    act: async (peer, { key }) => {
      await peer.prove(key)
      await (peer as RpcPeer).writeEncoded(tooMany)
    }
  }
]
