import { createHash } from "node:crypto"
import { type Argument, type RedisClient, scriptingOf } from "./client.ts"

/** A Lua script and the name that Redis knows it by. */
export interface Script {
  readonly source: string
  readonly sha: string
}

/** Names a script. */
export const script = (source: string): Script => ({ source, sha: createHash("sha1").update(source).digest("hex") })

const isUnknown = (error: unknown): boolean => error instanceof Error && error.message.startsWith("NOSCRIPT")

/**
 * Runs a script, which is one atomic step. Redis forgets scripts when it restarts or another server takes over, so the
 * source is sent where the name isn't known. Nothing is defined on the client: it is the app's.
 */
export const run = async (
  redis: RedisClient,
  { sha, source }: Script,
  keys: ReadonlyArray<string>,
  args: ReadonlyArray<Argument>
): Promise<unknown> => {
  const scripting = scriptingOf(redis)
  try {
    return await scripting.evalshaBuffer(sha, keys.length, ...keys, ...args)
  } catch (error) {
    if (!isUnknown(error)) throw error
    return scripting.evalBuffer(source, keys.length, ...keys, ...args)
  }
}
