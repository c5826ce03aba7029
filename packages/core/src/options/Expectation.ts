/** What the value of an option has to be. */
export interface Expectation {
  /** Goes on after "must be": `"a function"`. */
  readonly expected: string
  readonly accepts: (value: unknown) => boolean
  /** Whether it has to be given. @default false */
  readonly isRequired?: boolean | undefined
  /** What is wrong inside of a value that is accepted, a sentence each. @param path how the value is reached */
  readonly inside?: ((value: unknown, path: string) => ReadonlyArray<string>) | undefined
  /** What somebody meant who gave this, and how it is said: a sentence, for mistakes that are known. */
  readonly hint?: ((value: unknown) => string | undefined) | undefined
}

/** The options of a function by their names. */
export type Expectations<Options extends object> = { readonly [Name in keyof Required<Options>]: Expectation }
