/** How many letters two names differ by: those that are put in, left out or replaced. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1]
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (letter === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

/** No name of ours is longer; more letters would only cost time. */
const maxLength = 64

/** The name that somebody meant who wrote another one; `undefined` where none is like it. */
export const closest = (written: string, names: ReadonlyArray<string>): string | undefined => {
  if (written.length > maxLength) return undefined
  const [best] = names
    .map((name) => ({ name, letters: distance(written.toLowerCase(), name.toLowerCase()) }))
    .filter(({ letters, name }) => letters <= Math.max(1, Math.floor(name.length / 3)))
    .toSorted((a, b) => a.letters - b.letters)
  return best?.name
}
