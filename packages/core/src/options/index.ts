/** How what an app hands over is checked when it runs, and mistakes are named. */

export { checkOptions } from "./checkOptions.ts"
export type { Expectation, Expectations } from "./Expectation.ts"
export {
  aBoolean,
  aFunction,
  aLayer,
  aText,
  layers,
  mapOf,
  members,
  oneOf,
  positiveNumber,
  required,
  texts,
  time,
  wholeNumber,
  withFunctions,
  withHint
} from "./expectations.ts"
export { InvalidOptionsError } from "./InvalidOptionsError.ts"
