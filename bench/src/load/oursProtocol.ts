import {
  decodeResponseUnencrypted,
  encodeRequestUnencrypted,
  type Hello,
  type ProtocolResponseUnencrypted
} from "@eventlog-server/core/protocol"
import { Result } from "effect"
import { type Delivery, type Device, type Protocol, publicKeyOf, type Target } from "./device.ts"
import { Batches, madeAt } from "./entries.ts"
import { proveKey } from "./signing.ts"
import { LeanWebSocket } from "./webSocket.ts"

/** The key `id` and the header of its 16 bytes: once in each entry, and nowhere else in what is written here. */
const idField = Buffer.from([0xa2, 0x69, 0x64, 0xc4, 0x10])

/** Counts the entries of a `Changes` without decoding it. */
export const deliveryOf = (frame: Buffer): Delivery => {
  const first = frame.indexOf(idField)
  let entries = 0
  for (let at = first; at !== -1; at = frame.indexOf(idField, at + idField.length)) entries++
  return { entries, madeAt: madeAt(frame, first + idField.length) }
}

/** Where the value of `_tag` begins: after the map's header, the key and the value's own header. */
const tagStart = 7
const tagOf = (frame: Buffer): string => frame.toString("latin1", tagStart, tagStart + (frame[tagStart - 1]! & 0x1f))

const decode = (frame: Buffer): ProtocolResponseUnencrypted => Result.getOrThrow(decodeResponseUnencrypted(frame))

const proofOf = (publicKey: string, { challenge, remoteId }: typeof Hello.Type): Uint8Array | undefined =>
  challenge && encodeRequestUnencrypted(proveKey({ remoteId, challenge, publicKey }))

const open = async ({ onFailure, onHello, signal, url, ...target }: Target): Promise<Device> => {
  const { publicKey = publicKeyOf(target.storeId) } = target
  const acknowledged: Array<() => void> = []
  let deliver: (delivery: Delivery) => void = () => {}
  const proved = Promise.withResolvers<void>()

  const onMessage = (frame: Buffer, socket: LeanWebSocket): void => {
    switch (tagOf(frame)) {
      case "Changes":
        return deliver(deliveryOf(frame))
      case "Ack":
        return acknowledged.shift()?.()
      default:
        return onOther(decode(frame), socket)
    }
  }
  const onOther = (message: ProtocolResponseUnencrypted, socket: LeanWebSocket): void => {
    switch (message._tag) {
      case "Hello": {
        onHello?.()
        const proof = proofOf(publicKey, message)
        return proof === undefined ? proved.resolve() : socket.send(proof)
      }
      case "Authenticated":
        return proved.resolve()
      case "Ping":
        return socket.send(encodeRequestUnencrypted({ _tag: "Pong", id: message.id }))
      case "Error":
        return onFailure(`${message.reason}: ${message.message}`)
    }
  }
  const socket = await LeanWebSocket.open(new URL("/eventlog", url), {
    ...{ onMessage, onClose: onFailure },
    signal
  })
  await proved.promise

  return {
    write: (batches, onAck) => {
      acknowledged.push(onAck)
      socket.sendFramed(batches.next())
    },
    subscribe: (startSequence, onEntries) => {
      deliver = onEntries
      socket.send(encodeRequestUnencrypted({ _tag: "RequestChanges", publicKey, startSequence }))
    },
    close: () => socket.close()
  }
}

/** Our protocol. Acks come in the order of the writes, so all of them may carry the same id. */
export const oursProtocol: Protocol = {
  open,
  batches: (storeId, options) =>
    new Batches(options, (entries) =>
      encodeRequestUnencrypted({ _tag: "WriteEntries", id: 1, publicKey: publicKeyOf(storeId), entries })
    )
}
