/**
 * The least of a login: a name in a cookie, and no password. Whoever types a name is that user. Your app has sessions of
 * its own; all that the event log needs of them is `userOf(request)`.
 */
const cookieName = "todo_user"
const oneYear = 365 * 24 * 60 * 60

/** The user's name as it is stored, or `undefined` when `input` can't be one: 1 to 40 letters, digits, ` `, `.`, `_`, `-`. */
export const parseName = (input: unknown): string | undefined => {
  const name = typeof input === "string" ? input.trim().normalize() : ""
  return /^[\p{L}\p{N} ._-]{1,40}$/u.test(name) ? name : undefined
}

/** The `Set-Cookie` header that logs a user in. Strict: other sites can neither post nor open a websocket with it. */
export const loginCookie = (user: string) =>
  `${cookieName}=${encodeURIComponent(user)}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${oneYear}`

/** The `Set-Cookie` header that logs out. */
export const logoutCookie = `${cookieName}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0`

/** Who is logged in, by the `Cookie` header of a request; `undefined` when nobody is. */
export const userOf = (cookies: string | undefined): string | undefined => {
  for (const cookie of cookies?.split(";") ?? []) {
    const [name, value] = cookie.trim().split("=", 2)
    if (name === cookieName) return parseName(decode(value ?? ""))
  }
  return undefined
}

const decode = (value: string): string | undefined => {
  try {
    return decodeURIComponent(value)
  } catch {
    return undefined
  }
}
