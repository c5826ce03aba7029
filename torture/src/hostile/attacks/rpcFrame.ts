import { RpcPeer } from "../peers/RpcPeer.ts"
import { encodeMessage, encodePayloadOf } from "../peers/rpcCodecs.ts"
import type { Attack, Findings, Scene } from "../scene.ts"

/** Headers of one call, so that its frame has nearly 1 MiB. */
const headers = 170_000

const run = async ({ keep, url }: Scene): Promise<Findings> => {
  const peer = keep(new RpcPeer(url))
  await peer.socket.opened
  const payload = encodePayloadOf("Hello", undefined)
  const frame = encodeMessage({
    _tag: "Request",
    id: 1,
    tag: "EventLog.Hello",
    payload,
    headers: new Array(headers).fill(["a", "b"])
  })
  peer.socket.send(frame)
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, 5_000, undefined))
  const closed = await Promise.race([peer.socket.closed, late])
  return { bytes: frame.byteLength, closed: closed === undefined ? "no" : `${closed.code} ${closed.reason}` }
}

/** A stranger has a whole frame parsed. */
export const rpcFrame: Attack = {
  name: "rpc-frame",
  about: "one RPC frame of 1 MiB full of headers, without a key",
  run
}
