/** Longer texts may hold anything, a password for one. */
const maxCharacters = 24

const showText = (text: string): string =>
  text.length > maxCharacters || text.includes("://") ? `a text of ${text.length} characters` : JSON.stringify(text)

const showObject = (value: object): string => {
  const names = Object.keys(value).slice(0, 5)
  const maker = Object.getPrototypeOf(value)?.constructor?.name
  if (typeof maker === "string" && maker !== "" && maker !== "Object") return `an object of the class ${maker}`
  return names.length === 0 ? "an object without members" : `an object with ${names.join(", ")}`
}

/** A value for a message: so short that a log can take it, and none that may be secret. */
export const shown = (value: unknown): string => {
  if (typeof value === "string") return showText(value)
  if (typeof value === "function") return "a function"
  if (Array.isArray(value)) return `an array of ${value.length}`
  return typeof value === "object" && value !== null ? showObject(value) : String(value)
}
