/**
 * Which pages may open a websocket. Browsers send cookies along with a websocket from any page, so without a check every
 * site could act as its visitors.
 *
 * - `"same-origin"`: pages of the host that they connect to.
 * - `"any"`: all.
 * - a list of origins such as `"https://app.example"`, or a function.
 */
export type AllowedOrigins = "same-origin" | "any" | ReadonlyArray<string> | ((origin: string) => boolean)

/**
 * Whether a page of this origin may connect. A request without an `Origin` header doesn't come from a page, and may.
 *
 * @param allowed default `"same-origin"`
 */
export const isOriginAllowed = (
  request: { readonly origin: string | undefined; readonly host: string | undefined },
  allowed: AllowedOrigins = "same-origin"
): boolean => {
  const { host, origin } = request
  if (origin === undefined || allowed === "any") return true
  if (typeof allowed === "function") return allowed(origin)
  if (allowed === "same-origin") return host !== undefined && hostOf(origin) === host.toLowerCase()
  return allowed.includes(origin)
}

const hostOf = (origin: string): string | undefined => {
  try {
    return new URL(origin).host
  } catch {
    return undefined
  }
}
