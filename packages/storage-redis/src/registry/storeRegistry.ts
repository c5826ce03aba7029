import {
  type EventLogServerStoreRegistry,
  EventLogServerStoreRegistryError,
  type KeyMapping,
  type KeysQuery,
  StoreId
} from "@eventlog-server/core/backend"
import { Effect } from "effect"
import type { Argument } from "../client.ts"
import { isReply } from "../errors.ts"
import { pageOf } from "../lists/pageOf.ts"
import type { RedisNode } from "../node.ts"
import { run, type Script } from "../script.ts"
import { assignScript, bindScript, enrollScript, listScript, readScript, removeScript } from "./registry.lua.ts"

type Reason = EventLogServerStoreRegistryError["reason"]

const reasonOf = (cause: unknown): Reason => {
  if (isReply(cause, "NOTMAPPED")) return "NotMapped"
  return isReply(cause, "ASSIGNED") ? "AlreadyAssigned" : "Unavailable"
}

/** What failed concerns this key, or no single one. */
const attempt = <A>(publicKey: string | undefined, call: () => Promise<A>) =>
  Effect.tryPromise({
    try: call,
    catch: (cause) => new EventLogServerStoreRegistryError({ reason: reasonOf(cause), publicKey, cause })
  })

/** A stored mapping: a store and a signing key. The bytes are a copy. */
const mappingOf = (publicKey: string, reply: unknown): KeyMapping | undefined => {
  if (reply === null) return undefined
  const [storeId, signingPublicKey] = reply as [storeId: Buffer, signingPublicKey: Buffer | null]
  return {
    publicKey,
    storeId: StoreId.make(String(storeId)),
    signingPublicKey: signingPublicKey === null ? undefined : Uint8Array.from(signingPublicKey)
  }
}

/** A copy, since what waits for a connection is sent later. */
const bytes = (signingPublicKey: Uint8Array | undefined): Buffer => Buffer.from(signingPublicKey ?? [])

/** An `EventLogServerStoreRegistry` on Redis. Each key has a hash of its own; each member is one script on it. */
export const makeStoreRegistry = ({
  calls,
  keys,
  redis,
  wakeups
}: RedisNode): EventLogServerStoreRegistry["Service"] => {
  const load = async (publicKey: string): Promise<KeyMapping | undefined> =>
    mappingOf(publicKey, await calls.run(readScript, [keys.mapping(publicKey)], []))

  /** Runs a script that changes a key, and publishes that it did. */
  const change = (script: Script, publicKey: string, ...args: ReadonlyArray<Argument>): Promise<unknown> =>
    run(redis, script, [keys.mapping(publicKey)], [keys.accessChannel, publicKey, ...args])

  /** Listed first: a key that is listed in vain does no harm, one that is missing would. */
  const enlist = (publicKey: string, storeId: StoreId) =>
    Promise.all(
      [keys.publicKeys, keys.publicKeysOf(storeId)].map((list) => run(redis, listScript, [list], [publicKey]))
    )

  const list = ({ after, limit, storeId }: KeysQuery): Promise<ReadonlyArray<KeyMapping>> => {
    if (storeId === undefined) return pageOf(redis, keys.publicKeys, after, limit, load)
    return pageOf(redis, keys.publicKeysOf(storeId), after, limit, async (publicKey) => {
      const mapping = await load(publicKey)
      return mapping?.storeId === storeId ? mapping : undefined
    })
  }

  return {
    resolve: (publicKey) =>
      Effect.flatMap(
        attempt(publicKey, () => load(publicKey)),
        (mapping) =>
          mapping === undefined
            ? Effect.fail(new EventLogServerStoreRegistryError({ reason: "NotMapped", publicKey }))
            : Effect.succeed(mapping.storeId)
      ),
    assign: ({ publicKey, signingPublicKey, storeId }) =>
      Effect.suspend(() => {
        const signing = bytes(signingPublicKey)
        return attempt(publicKey, async () => {
          await enlist(publicKey, storeId)
          await change(assignScript, publicKey, storeId, signing)
        })
      }),
    enroll: ({ publicKey, signingPublicKey, storeId }) =>
      Effect.suspend(() => {
        const signing = bytes(signingPublicKey)
        return attempt(publicKey, async () => {
          await enlist(publicKey, storeId)
          const reply = await run(redis, enrollScript, [keys.mapping(publicKey)], [storeId, signing])
          return mappingOf(publicKey, reply)!
        })
      }),
    bind: ({ publicKey, signingPublicKey }) =>
      Effect.suspend(() => {
        const signing = bytes(signingPublicKey)
        return attempt(publicKey, async () =>
          Uint8Array.from((await calls.run(bindScript, [keys.mapping(publicKey)], [signing])) as Buffer)
        )
      }),
    remove: (publicKey) => Effect.asVoid(attempt(publicKey, () => change(removeScript, publicKey))),
    list: (query) => attempt(undefined, () => list(query)),
    changes: wakeups.access.changes
  }
}
