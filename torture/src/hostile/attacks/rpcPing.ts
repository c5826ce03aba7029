import { drip } from "../peers/drip.ts"
import { RpcPeer } from "../peers/RpcPeer.ts"
import { encodeMessage, encodePayloadOf } from "../peers/rpcCodecs.ts"
import type { Attack, Scene } from "../scene.ts"

const connections = 4
/** Messages a second: what a connection may send even when the server was kept from reading for a moment. */
const perSecond = 4_000
/** What the kernel holds for a peer that doesn't read: 4 MiB on most machines, in replies of a hundred bytes. */
const fillMillis = 10_000

const flood = async (peer: RpcPeer, seconds: number): Promise<number> => {
  await peer.socket.opened
  const payload = encodePayloadOf("Hello", undefined)
  let calls = 0
  const call = (): Uint8Array =>
    encodeMessage({ _tag: "Request", id: `${calls++}`.padEnd(60, "-"), tag: "None", payload, headers: [] })
  const ping = encodeMessage({ _tag: "Ping" })
  await drip(peer.socket, call, perSecond, performance.now() + fillMillis)
  return drip(peer.socket, () => ping, perSecond, performance.now() + seconds * 1_000)
}

const run = async ({ keep, seconds, url }: Scene) => {
  const peers = Array.from({ length: connections }, () => keep(new RpcPeer(url, { isMute: true })))
  const sent = await Promise.all(peers.map((peer) => flood(peer, seconds)))
  return {
    pings: sent.reduce((sum, count) => sum + count, 0),
    open: peers.filter(({ socket }) => socket.isOpen).length
  }
}

/** Connections without a key ping at a rate that is admitted, and read none of the replies. */
export const rpcPing: Attack = { name: "rpc-ping", about: "RPC pings of 4 peers that never read", run }
