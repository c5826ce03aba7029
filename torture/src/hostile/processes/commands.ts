/** What a program can be told: names, arguments and results, all of which survive JSON. */
export type CommandsOf<Commands> = { readonly [Name in keyof Commands]: (...args: never) => Promise<unknown> }

/** A command on its way. */
export interface Call {
  readonly id: number
  readonly name: string
  readonly args: ReadonlyArray<unknown>
}

/** What comes back; `error` when the command failed. The id 0 says that the program is ready. */
export interface Reply {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}
