/** U+0000 and lone surrogates are refused since databases refuse or change them: the text would not come back as it was. */
export const isStorable = (text: string): boolean => !text.includes("\u0000") && text.isWellFormed()

const encoder = new TextEncoder()

/**
 * Whether a text has more than `maxBytes` bytes in UTF-8. It has no more than three for each UTF-16 unit, so most need no
 * encoding to be measured.
 */
export const exceedsBytes = (text: string, maxBytes: number): boolean =>
  text.length > maxBytes || (text.length * 3 > maxBytes && encoder.encode(text).byteLength > maxBytes)
