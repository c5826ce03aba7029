import { type ByteReader, MalformedBytes } from "./ByteReader.ts"

/** The first byte of a message: SchemaBinary, version 2, whose structs name their fields. */
export const evolvable = 0x20

/** Fields of a struct, at most. Those of the messages here have four. */
const maxFields = 16

/** Bytes of a whole number that stands in a field by itself, at most: 2 ** 53 has eight. */
const maxVarintBytes = 10

/** A field of a struct, and where what is in it stands. */
export interface StructField {
  readonly id: number
  /** Whether it has its length before it, as all but numbers and booleans have. */
  readonly isSized: boolean
  readonly start: number
  readonly end: number
}

/** The fields of each struct have ids that are made of their names. */
export const fieldIds = {
  storeId: 0x4ca38853,
  publicKey: 0xf40a06ff,
  entries: 0x6f5882f3,
  data: 0xd872e2a5,
  id: 0x37386ae0,
  event: 0xfe30d09f,
  primaryKey: 0xc63e3210,
  payload: 0x330f77a5,
  remoteSequence: 0xd4413922,
  entry: 0xcac3d793
}

/**
 * The fields of a message that is a struct in effect's SchemaBinary, in the order in which they stand. What is in them is
 * not looked at, so that the cost doesn't depend on the size. Throws `MalformedBytes` for anything else, for a field that is
 * there twice and for more than 16 of them.
 */
export const readFields = (reader: ByteReader): ReadonlyArray<StructField> => {
  if (reader.unsigned() !== reader.remaining) throw new MalformedBytes("Bytes after the message")
  if (reader.byte() !== evolvable) throw new MalformedBytes("Another layout")
  const fields: Array<StructField> = []
  while (reader.remaining > 0) {
    const field = readField(reader)
    if (fields.length === maxFields || fields.some(({ id }) => id === field.id)) {
      throw new MalformedBytes("Too many fields")
    }
    fields.push(field)
  }
  return fields
}

const readField = (reader: ByteReader): StructField => {
  const tag = reader.unsigned()
  const [id, kind] = [Math.floor(tag / 8), tag % 8]
  // Fields without a name are of records, and no message here has any.
  if (id === 0) throw new MalformedBytes("A field without an id")
  const length = kind === 0 ? reader.unsigned() : 0
  const start = reader.position
  reader.skip(length)
  if (kind !== 0) skipScalar(reader, kind)
  return { id, isSized: kind === 0, start, end: reader.position }
}

/** The kinds: 1 a whole number, 2 a float, 3 and 4 booleans, 5 a decimal, 6 four bytes, 7 nothing. */
const skipScalar = (reader: ByteReader, kind: number): void => {
  if (kind === 1 || kind === 5) skipVarint(reader)
  if (kind === 5) skipVarint(reader)
  if (kind === 2) reader.skip(8)
  if (kind === 6) reader.skip(4)
}

const skipVarint = (reader: ByteReader): void => {
  const { position } = reader
  while (reader.byte() >= 0x80) {
    if (reader.position - position >= maxVarintBytes) throw new MalformedBytes("A number that is too long")
  }
}
