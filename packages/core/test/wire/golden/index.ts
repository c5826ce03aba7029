import frames from "./frames.json" with { type: "json" }

/** A message, the bytes it travels as, and what it means. */
export interface GoldenFrame {
  readonly from: string
  readonly meaning: string
  /** The message as the codec takes and gives it. */
  readonly message: { readonly _tag: string } & Readonly<Record<string, unknown>>
  readonly bytes: Uint8Array
}

/** The bytes that hexadecimal digits name; spaces don't count. */
export const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ""), "hex"))

const revive = (_: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && "hex" in value ? fromHex(String(value.hex)) : value

const golden = (frame: (typeof frames.frames)[number] | (typeof frames.variants)[number]): GoldenFrame => ({
  from: frame.from,
  meaning: frame.meaning,
  message: JSON.parse(JSON.stringify(frame.message), revive),
  bytes: fromHex(frame.hex)
})

/** The frames that this implementation reads and writes. */
export const goldenFrames: ReadonlyArray<GoldenFrame> = frames.frames.map(golden)

/** Other encodings of the same messages, which it reads. */
export const goldenVariants: ReadonlyArray<GoldenFrame> = frames.variants.map(golden)
