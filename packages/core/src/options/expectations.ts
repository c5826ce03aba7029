import { Duration, Layer } from "effect"
import { problemsOf } from "./checkOptions.ts"
import type { Expectation, Expectations } from "./Expectation.ts"

/** The expectation, of an option that has to be given. */
export const required = (expectation: Expectation): Expectation => ({ ...expectation, isRequired: true })

/** The expectation, with something to say of mistakes that are known. */
export const withHint = (expectation: Expectation, hint: NonNullable<Expectation["hint"]>): Expectation => ({
  ...expectation,
  hint
})

/** What effect takes as a time, but for negative ones. */
export const time: Expectation = {
  expected: 'a time, such as 5000 (milliseconds) or "5 seconds"',
  accepts: (value) => {
    const duration = Duration.fromInput(value as Duration.Input)
    return duration._tag === "Some" && Duration.toMillis(duration.value) >= 0
  }
}

const isNatural = (value: unknown): boolean =>
  typeof value === "number" && value >= 0 && (Number.isInteger(value) || value === Number.POSITIVE_INFINITY)

/** @param unit what is counted, such as `"bytes"` */
export const wholeNumber = (unit = ""): Expectation => ({
  expected: `a whole number${unit === "" ? "" : ` of ${unit}`}, without a unit`,
  accepts: isNatural
})

/** More than 0, as a rate. */
export const positiveNumber: Expectation = {
  expected: "a number above 0",
  accepts: (value) => typeof value === "number" && value > 0
}

export const aFunction: Expectation = { expected: "a function", accepts: (value) => typeof value === "function" }

export const aBoolean: Expectation = { expected: "true or false", accepts: (value) => typeof value === "boolean" }

export const aText: Expectation = { expected: "a text", accepts: (value) => typeof value === "string" }

export const texts: Expectation = {
  expected: "an array of texts",
  accepts: (value) => Array.isArray(value) && value.every(aText.accepts)
}

export const oneOf = (...values: ReadonlyArray<string>): Expectation => ({
  expected: `one of ${values.map((value) => `"${value}"`).join(", ")}`,
  accepts: (value) => values.includes(value as string)
})

export const aLayer: Expectation = { expected: "a Layer", accepts: Layer.isLayer }

export const layers: Expectation = {
  expected: "an array of Layers",
  accepts: (value) => Array.isArray(value) && value.every(Layer.isLayer)
}

const isMemberHolder = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value)

/** An object that has members of its own to be checked. */
export const members = <Options extends object>(expectations: Expectations<Options>): Expectation => ({
  expected: `an object with ${Object.keys(expectations).slice(0, 4).join(", ")}`,
  accepts: isMemberHolder,
  inside: (value, path) => problemsOf(`${path}.`, value, expectations)
})

/** An object whose members may have any name, and all have to be of one kind. */
export const mapOf = (expectation: Expectation): Expectation => ({
  expected: "an object",
  accepts: isMemberHolder,
  inside: (value, path) => {
    const names = Object.keys(value as object)
    return problemsOf(`${path}.`, value, Object.fromEntries(names.map((name) => [name, expectation])))
  }
})

/** An object that has functions of these names, whatever else it has. */
export const withFunctions = (...names: ReadonlyArray<string>): Expectation => ({
  expected: `an object with the functions ${names.join(", ")}`,
  accepts: (value) =>
    typeof value === "object" &&
    value !== null &&
    names.every((name) => typeof (value as Readonly<Record<string, unknown>>)[name] === "function")
})
