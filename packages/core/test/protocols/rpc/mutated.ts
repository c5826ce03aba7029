import fc from "fast-check"

interface Mutation {
  readonly at: number
  readonly bytes: Uint8Array
  readonly removed: number
}

const replaced = fc.record({
  at: fc.nat(),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 1 }),
  removed: fc.constant(1)
})

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  { weight: 4, arbitrary: replaced },
  fc.record({ at: fc.nat(), bytes: fc.uint8Array({ maxLength: 3 }), removed: fc.nat(2) })
)

const mutate = (bytes: Uint8Array, { at, bytes: inserted, removed }: Mutation): Uint8Array => {
  const start = at % (bytes.length + 1)
  return Uint8Array.from([...bytes.subarray(0, start), ...inserted, ...bytes.subarray(start + removed)])
}

/** Bytes that were changed in a few places: overwritten, cut out or put in. */
export const mutated = (bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(bytes, fc.array(mutation, { minLength: 1, maxLength: 3 }))
    .map(([bytes, mutations]) => mutations.reduce(mutate, bytes))

/** A number as SchemaBinary writes lengths. */
export const unsigned = (value: number): ReadonlyArray<number> =>
  value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...unsigned(Math.floor(value / 0x80))]

/** A message behind its length. */
export const framed = (message: Iterable<number>): Uint8Array => {
  const bytes = [...message]
  return Uint8Array.from([...unsigned(bytes.length), ...bytes])
}
