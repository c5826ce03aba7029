import { Data } from "effect"

/** A function was given options that it can't use. It is thrown at once, before anything is started. */
export class InvalidOptionsError extends Data.TaggedError("InvalidOptionsError")<{
  /** The function, such as `"createEventLogServer"`. */
  readonly subject: string
  /** What is wrong, a sentence each; all of it. */
  readonly problems: ReadonlyArray<string>
}> {
  override readonly message: string = [`${this.subject} can't use its options:`, ...this.problems].join("\n- ")
}
