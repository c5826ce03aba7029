import { closest } from "./closest.ts"
import type { Expectation, Expectations } from "./Expectation.ts"
import { InvalidOptionsError } from "./InvalidOptionsError.ts"
import { shown } from "./shown.ts"

type Named = Readonly<Record<string, Expectation>>

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const sentence = (...parts: ReadonlyArray<string | undefined>): string =>
  parts.filter((part) => part !== undefined).join(" ")

const problemsOfValue = (path: string, value: unknown, expectation: Expectation): ReadonlyArray<string> => {
  const { accepts, expected, hint, inside, isRequired = false } = expectation
  if (value === undefined && !isRequired) return []
  if (accepts(value)) return inside?.(value, path) ?? []
  const found = value === undefined ? "it is missing." : `it is ${shown(value)}.`
  return [sentence(`${path} must be ${expected}, and ${found}`, hint?.(value))]
}

const unknownName = (path: string, name: string, names: ReadonlyArray<string>): string => {
  const meant = closest(name, names)
  return sentence(`There is no ${path}${name}.`, meant === undefined ? undefined : `Did you mean "${meant}"?`)
}

/**
 * What is wrong with options, a sentence each. A member that is `undefined` counts as left out.
 *
 * @param path what comes before a name: `"limits."`
 */
export const problemsOf = (path: string, options: unknown, expectations: Named): ReadonlyArray<string> => {
  if (!isObject(options)) return [`The options must be an object, and they are ${shown(options)}.`]
  const names = Object.keys(expectations)
  const given = Object.keys(options).filter((name) => options[name] !== undefined)
  return [
    ...given.filter((name) => !Object.hasOwn(expectations, name)).map((name) => unknownName(path, name, names)),
    ...names.flatMap((name) => problemsOfValue(path + name, options[name], expectations[name]!))
  ]
}

/** Throws an `InvalidOptionsError` that names all that is wrong with options, whatever the language of the caller checked. */
export const checkOptions = <Options extends object>(
  subject: string,
  options: unknown,
  expectations: Expectations<Options>
): void => {
  const problems = problemsOf("", options, expectations)
  if (problems.length > 0) throw new InvalidOptionsError({ subject, problems })
}
