import { Packr, RESET_BUFFER_MODE, Unpackr } from "msgpackr"

const packr = new Packr({ useRecords: false, variableMapSize: true })

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: "number", copyBuffers: true })

/**
 * The MessagePack encoding of a plain value, in bytes of its own.
 *
 * msgpackr answers a view of a buffer that it fills again and again, and that grows with the longest message: a short
 * encoding that somebody keeps would keep all of it.
 */
export const pack = (value: unknown): Uint8Array => new Uint8Array(packr.pack(value, RESET_BUFFER_MODE))

/**
 * The value that well-formed `bytes` hold, in memory of its own. Integers are numbers, whatever their encoding.
 *
 * msgpackr keeps a `DataView` on what it is given, and hands out its class: so it gets a plain view.
 */
export const unpack = (bytes: Uint8Array): unknown =>
  unpackr.unpack(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))
