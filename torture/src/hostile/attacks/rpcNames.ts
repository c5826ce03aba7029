import { setTimeout as sleep } from "node:timers/promises"
import { EventLogMessage } from "effect/eventlog"
import { factOf } from "../peers/entries.ts"
import { RpcPeer } from "../peers/RpcPeer.ts"
import { encodePayloadOf } from "../peers/rpcCodecs.ts"
import type { Attack, Findings, Scene } from "../scene.ts"

const calls = 400
/** Milliseconds between them: no more than a few frames may be unread. */
const pause = 15
const long = 900_000

/** Calls that wait behind a proof which nobody decides. */
const runCalls = async ({ keep, url }: Scene): Promise<Findings> => {
  const peer = keep(new RpcPeer(url))
  await peer.socket.opened
  peer.prove("never/decided").catch(() => {})
  const payload = encodePayloadOf("Hello", undefined)
  const name = "n".repeat(long)
  let sent = 0
  for (; sent < calls && peer.socket.isOpen; sent++) {
    const id = `${sent}${name}`
    peer.send({ _tag: "Request", id, tag: "EventLog.Hello", payload, headers: [] })
    await sleep(pause)
  }
  return { calls: sent, open: peer.socket.isOpen ? "yes" : "no" }
}

/** Ids of 0.9 MB on a connection that has proved no key. */
export const rpcNames: Attack = {
  name: "rpc-names",
  about: "400 RPC calls with ids of 0.9 MB on an unproved connection",
  run: runCalls
}

const subscriptions = 16

const runSubscriptions = async ({ keep, url }: Scene): Promise<Findings> => {
  const peer = keep(new RpcPeer(url))
  const storeId = EventLogMessage.StoreId.make("default")
  for (let index = 0; index < subscriptions; index++) await peer.prove(`attacker/${index}`)
  for (let index = 0; index < subscriptions; index++) {
    const payload = encodePayloadOf("Changes", { publicKey: `attacker/${index}`, storeId, startSequence: 1 })
    peer.send({
      _tag: "Request",
      id: `${index}${"i".repeat(1_000_000)}`,
      tag: "EventLog.Changes",
      payload,
      headers: []
    })
  }
  await sleep(500)
  peer.socket.mute()
  const writer = keep(new RpcPeer(url))
  await writer.prove("attacker/writer")
  for (let count = 0; count < 20; count++) await writer.write("attacker/writer", [factOf("Added", "key", `${count}`)])
  return { open: peer.socket.isOpen ? "yes" : "no" }
}

/** Every `Chunk` repeats the id of its subscription. */
export const rpcSubscriptionNames: Attack = {
  name: "rpc-subscription-names",
  about: "16 RPC subscriptions with ids of 1 MB",
  run: runSubscriptions
}
