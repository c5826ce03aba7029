/** Bytes or fields that are not what the protocol says. Thrown and caught inside this room only. */
export class Malformed extends Error {
  override readonly name = "Malformed"
}
