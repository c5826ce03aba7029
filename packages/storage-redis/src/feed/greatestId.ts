import type { StoreId } from "@eventlog-server/core"
import type { EventJournal } from "effect/eventlog"
import type { RedisNode } from "../node.ts"
import { run, script } from "../script.ts"

const greatestScript = script(`return redis.call('HGET', KEYS[1], 'greatest')`)

/** The greatest id, which every append keeps. */
export const greatestId = async (
  { keys, redis }: RedisNode,
  storeId: StoreId
): Promise<EventJournal.EntryId | undefined> => {
  const id = (await run(redis, greatestScript, [keys.store(storeId).state], [])) as Buffer | null
  return id === null ? undefined : (new Uint8Array(id) as EventJournal.EntryId)
}
