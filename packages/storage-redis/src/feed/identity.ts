import { EventJournal } from "effect/eventlog"
import type { RedisClient } from "../client.ts"
import type { Keys } from "../keys.ts"
import { run, script } from "../script.ts"

const readScript = script(`redis.call('SET', KEYS[1], ARGV[1], 'NX') return redis.call('GET', KEYS[1])`)

const rotateScript = script(`redis.call('SET', KEYS[1], ARGV[1]) return ARGV[1]`)

const replaceScript = script(`
local id = redis.call('GET', KEYS[1])
if id and id ~= ARGV[2] then return id end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
`)

const fresh = (): Buffer => Buffer.from(EventJournal.makeRemoteIdUnsafe())

/** The id of a backend, which is kept in Redis for all nodes. */
export class Identity {
  /** The id when this node last asked. */
  known: EventJournal.RemoteId | undefined
  readonly #redis: RedisClient
  readonly #key: string

  constructor(redis: RedisClient, { id }: Keys) {
    this.#redis = redis
    this.#key = id
  }

  /** Asks for the id. The first node to ask makes it up. */
  async read(): Promise<EventJournal.RemoteId> {
    return this.#learn(await run(this.#redis, readScript, [this.#key], [fresh()]))
  }

  async rotate(): Promise<EventJournal.RemoteId> {
    return this.#learn(await run(this.#redis, rotateScript, [this.#key], [fresh()]))
  }

  /** Rotates it where it is still `old`: of many nodes that have the same reason, one does it. */
  async replace(old: EventJournal.RemoteId): Promise<EventJournal.RemoteId> {
    return this.#learn(await run(this.#redis, replaceScript, [this.#key], [fresh(), Buffer.from(old)]))
  }

  #learn(reply: unknown): EventJournal.RemoteId {
    this.known = Uint8Array.from(reply as Buffer) as EventJournal.RemoteId
    return this.known.slice() as EventJournal.RemoteId
  }
}
