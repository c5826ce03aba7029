import { randomBytes, scrypt, timingSafeEqual } from "node:crypto"
import { promisify } from "node:util"
import type { Kysely } from "kysely"
import type { AppDatabase } from "./database.ts"

/** A member of a team. */
export interface User {
  readonly name: string
  readonly team: string
}

/** What somebody logs in with. */
export interface Credentials {
  readonly name: string
  readonly password: string
}

const derive = promisify<string, Buffer, number, Buffer>(scrypt)

const hash = async (password: string): Promise<string> => {
  const salt = randomBytes(16)
  return `${salt.toString("hex")}:${(await derive(password, salt, 32)).toString("hex")}`
}

const matches = async (password: string, stored: string): Promise<boolean> => {
  const [salt = "", expected = ""] = stored.split(":")
  return timingSafeEqual(await derive(password, Buffer.from(salt, "hex"), 32), Buffer.from(expected, "hex"))
}

/** Adds a user; `false` where the name is taken. */
export const register = async (
  db: Kysely<AppDatabase>,
  { name, password, team }: Credentials & User
): Promise<boolean> => {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto("users")
    .values({ name, team, password: await hash(password) })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

/** Logs a user in; answers the token of the session, or `undefined` for the wrong name or password. */
export const logIn = async (db: Kysely<AppDatabase>, { name, password }: Credentials): Promise<string | undefined> => {
  const user = await db.selectFrom("users").select("password").where("name", "=", name).executeTakeFirst()
  if (user === undefined || !(await matches(password, user.password))) return undefined
  const token = randomBytes(32).toString("hex")
  await db.insertInto("sessions").values({ token, user_name: name }).execute()
  return token
}

const cookieName = "notebook"

/** The `Set-Cookie` header of a session. Strict: other sites can neither post nor open a websocket with it. */
export const sessionCookie = (token: string): string => `${cookieName}=${token}; Path=/; HttpOnly; SameSite=Strict`

/** Who is logged in, by the `Cookie` header of a request. */
export const userOf = async (db: Kysely<AppDatabase>, cookies: string | undefined): Promise<User | undefined> => {
  const token = cookies?.match(/(?:^|; *)notebook=([0-9a-f]{64})(?:;|$)/)?.[1]
  if (token === undefined) return undefined
  return db
    .selectFrom("sessions")
    .innerJoin("users", "users.name", "sessions.user_name")
    .select(["users.name", "users.team"])
    .where("sessions.token", "=", token)
    .executeTakeFirst()
}
