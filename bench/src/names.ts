/** Whether a name is what was asked for, or what that is the beginning of, by whole parts. */
const beginsWith = (name: string, beginning: string): boolean => name === beginning || name.startsWith(`${beginning}/`)

/** What there is by the beginnings of names; everything by none. */
export const find = <A extends { readonly name: string }>(
  all: ReadonlyArray<A>,
  only: ReadonlyArray<string>
): ReadonlyArray<A> =>
  only.length === 0 ? all : all.filter(({ name }) => only.some((beginning) => beginsWith(name, beginning)))

/** What is asked for by the beginnings of names: the same, but what runs on request only by its whole name. */
export const select = <A extends { readonly name: string; readonly onRequest?: boolean | undefined }>(
  all: ReadonlyArray<A>,
  only: ReadonlyArray<string>
): ReadonlyArray<A> => find(all, only).filter(({ name, onRequest }) => !onRequest || only.includes(name))

/** Says of each beginning that it is none, and which names there are; `undefined` when all of them are. */
export const complainOfUnknown = (
  all: ReadonlyArray<{ readonly name: string }>,
  only: ReadonlyArray<string>
): string | undefined => {
  const unknown = only.filter((beginning) => !all.some(({ name }) => beginsWith(name, beginning)))
  if (unknown.length === 0) return undefined
  return [
    ...unknown.map((beginning) => `Nothing begins with ${beginning}`),
    "There is:",
    ...all.map(({ name }) => `  ${name}`)
  ].join("\n")
}
