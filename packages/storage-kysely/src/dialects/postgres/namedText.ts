/** The text of a statement, with the name that pg prepares it by. */
interface NamedText {
  readonly text: string
  readonly name: string
}

const text = function (this: NamedText): string {
  return this.text
}

/**
 * Behaves as the text where a string is expected, as in what Kysely logs. It isn't a `String`, whose characters are
 * properties: pg copies all properties of what it is given, for each call.
 */
const prototype: object = Object.create(String.prototype, {
  toString: { value: text },
  valueOf: { value: text },
  toJSON: { value: text },
  length: {
    get(this: NamedText) {
      return this.text.length
    }
  }
})

/** What pg takes for a named statement in place of its text, for one call. */
export const namedText = (text: string, name: string): string => Object.assign(Object.create(prototype), { text, name })
