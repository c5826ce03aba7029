/** Why tests are left out, and how to get what they miss. Where everything has to be there, as in CI, it is an error instead. */
export const unlessRequired = (missing: string | undefined): string | undefined => {
  if (missing !== undefined && process.env.CI === "true") throw new Error(missing)
  return missing
}
