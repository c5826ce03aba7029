import type { Evidence, Of, Recorded } from "./history.ts"

/** The happenings of one kind, in order. */
export const allOf = <Kind extends Recorded["kind"]>(
  { history }: Pick<Evidence, "history">,
  kind: Kind
): ReadonlyArray<Of<Kind>> => history.filter((happening): happening is Of<Kind> => happening.kind === kind)

/** Values by a key, in order. */
export const groupBy = <A>(values: Iterable<A>, keyOf: (value: A) => string): Map<string, Array<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const value of values) {
    const key = keyOf(value)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [value])
    else group.push(value)
  }
  return groups
}

/** The feed of a store; empty when it has none. */
export const feedOf = ({ outcome }: Evidence, store: string | undefined) =>
  (store === undefined ? undefined : outcome.feeds.get(store)) ?? []

/** The store of each device. */
export const storesOf = ({ outcome }: Evidence): ReadonlyMap<string, string | undefined> =>
  new Map(outcome.devices.map(({ device, store }) => [device, store]))
