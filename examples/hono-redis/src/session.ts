import type { Context } from "hono"
import { getSignedCookie, setSignedCookie } from "hono/cookie"

const cookie = "household"

/**
 * The least of a login: the name of a household, in a cookie that the server signs. Whoever knows the name is in. Your app
 * has sessions of its own; all that the event log needs of them is whose they are.
 */
export const makeSession = (secret: string) => ({
  login: (c: Context, household: string): Promise<void> =>
    setSignedCookie(c, cookie, household, secret, { httpOnly: true, sameSite: "Strict", maxAge: 365 * 24 * 60 * 60 }),
  /** The household that is logged in, if one is. */
  householdOf: async (c: Context): Promise<string | undefined> =>
    (await getSignedCookie(c, secret, cookie)) || undefined
})
