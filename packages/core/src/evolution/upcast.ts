/** What a handler looks at, on the server and on devices, plain or of effect's. */
interface Told {
  readonly payload: unknown
  readonly conflicts?: ReadonlyArray<{ readonly payload: unknown }>
}

/** What a conflict is besides its payload. */
type ConflictOf<Input extends Told> = Omit<NonNullable<Input["conflicts"]>[number], "payload">

/** What a handler of the old payload is told, by what that of the new one is. */
export type UpcastInput<Input extends Told, Old> = Omit<Input, "payload" | "conflicts"> & {
  readonly payload: Old
  readonly conflicts: ReadonlyArray<ConflictOf<Input> & { readonly payload: Old }>
}

/**
 * The handler of an event that another one took the place of: it calls the other's handler, with what `change` makes of the
 * old payloads, of the entry's and of its conflicts'. It fits wherever a handler does: on the server, plain or in
 * `EventLog.group`, and on devices.
 *
 * @param change may throw where there is nothing to be made of a payload; the entry then fails
 * @example
 * ```ts
 * handlers: { TodoTimed: timed, TodoAdded: upcast(timed, ({ id, minutes }) => ({ id, seconds: 60 * minutes })) }
 * ```
 */
export const upcast =
  <Input extends Told, Old, Returned>(
    handler: (input: Input) => Returned,
    change: (payload: Old) => Input["payload"]
  ): ((input: UpcastInput<Input, Old>) => Returned) =>
  (input) => {
    const { conflicts, payload, ...rest } = input
    const changed = {
      ...rest,
      payload: change(payload),
      conflicts: conflicts.map((conflict) => ({ ...conflict, payload: change(conflict.payload) }))
    }
    // The server makes a signal when it is asked for.
    if ("signal" in input) Object.defineProperty(changed, "signal", { get: () => input.signal })
    return handler(changed as unknown as Input)
  }
