/** What a handler is told, on the server and on devices, plain or of effect's. */
interface Told<Payload> {
  readonly payload: Payload
  readonly conflicts: ReadonlyArray<{ readonly payload: Payload }>
}

/** What a handler of the old payload is told, by what that of the new one is. */
export type UpcastInput<Input extends Told<unknown>, Old> = Omit<Input, "payload" | "conflicts"> & {
  readonly payload: Old
  readonly conflicts: ReadonlyArray<Omit<Input["conflicts"][number], "payload"> & { readonly payload: Old }>
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
  <Input extends Told<unknown>, Old, Returned>(
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
