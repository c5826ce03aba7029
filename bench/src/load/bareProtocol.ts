import { encodeResponseUnencrypted } from "@eventlog-server/core/protocol"
import { EventJournal } from "effect/eventlog"
import { type Delivery, type Device, type Protocol, publicKeyOf, type Target } from "./device.ts"
import { Batches } from "./entries.ts"
import { deliveryOf } from "./oursProtocol.ts"
import { LeanWebSocket } from "./webSocket.ts"

const open = async ({ onFailure, onHello, signal, storeId, url }: Target): Promise<Device> => {
  const acknowledged: Array<() => void> = []
  let deliver: ((delivery: Delivery) => void) | undefined
  const socket = await LeanWebSocket.open(new URL(`/?store=${storeId}`, url), {
    onMessage: (frame) => (deliver === undefined ? acknowledged.shift()?.() : deliver(deliveryOf(frame))),
    onClose: onFailure,
    signal
  })
  onHello?.()
  return {
    write: (batches, onAck) => {
      acknowledged.push(onAck)
      socket.sendFramed(batches.next())
    },
    subscribe: (_, onEntries) => {
      deliver = onEntries
      // Its only message that is not to be passed on.
      socket.send(new Uint8Array())
    },
    close: () => socket.close()
  }
}

/** The bare websocket server: what is written are the frames that subscribers of ours would get. */
export const bareProtocol: Protocol = {
  open,
  batches: (storeId, options) =>
    new Batches(options, (entries) =>
      encodeResponseUnencrypted({
        _tag: "Changes",
        publicKey: publicKeyOf(storeId),
        entries: entries.map(
          // Sequences of one length, as those of a store with some history are.
          (entry, index) =>
            new EventJournal.RemoteEntry({ remoteSequence: 0x1_0000 + index, entry }, { disableChecks: true })
        )
      })
    )
}
