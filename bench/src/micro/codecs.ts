import { decodeRequestUnencrypted, encodeRemoteEntries, encodeRequestUnencrypted } from "@eventlog-server/core/protocol"
import { Effect, Result } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { Packr, Unpackr } from "msgpackr"
import { makeEntries, makeRemoteEntries } from "./entries.ts"

/** Entries of one batch. */
const size = 100
const entries = makeEntries(size, size)
const remoteEntries = makeRemoteEntries(entries)
const packr = new Packr({ useRecords: false, variableMapSize: true })
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: "number" })
const { ChangesRpc, StoreId, WriteEntriesUnencrypted } = EventLogMessage

/** Encodes a page for subscribers, as the feed does. */
export const encode = () => {
  encodeRemoteEntries(remoteEntries)
  return size
}

/** The same with effect's codec, as a whole. */
export const encodeWithEffect = () => {
  Effect.runSync(ChangesRpc.encodeUnencrypted(remoteEntries as never))
  return size
}

/** The same with msgpackr alone. */
export const encodeWithMsgpackr = () => {
  for (const { entry, remoteSequence } of remoteEntries) {
    const { event, id, payload, primaryKey } = entry
    packr.pack({ remoteSequence, entry: { id, event, primaryKey, payload } })
  }
  return size
}

const written = encodeRequestUnencrypted({ _tag: "WriteEntries", id: 1, publicKey: "key", entries })

/** Decodes and checks a batch that a client wrote. */
export const decode = () => {
  Result.getOrThrow(decodeRequestUnencrypted(written))
  return size
}

const writtenToEffect = Effect.runSync(
  new WriteEntriesUnencrypted({ publicKey: "key", storeId: StoreId.make("store"), entries: [...entries] }).encoded
)

/** The same with effect's codec. */
export const decodeWithEffect = () => {
  Effect.runSync(WriteEntriesUnencrypted.decode(writtenToEffect))
  return size
}

/** The same with msgpackr alone, which checks nothing. */
export const decodeWithMsgpackr = () => {
  unpackr.unpack(written)
  return size
}
