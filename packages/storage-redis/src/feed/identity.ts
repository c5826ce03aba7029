import type { Rotation } from "@eventlog-server/core/backend"
import type { EventJournal } from "effect/eventlog"
import type { RedisClient } from "../client.ts"
import type { Keys } from "../keys.ts"
import { run, script } from "../script.ts"

/*
 * An id of the backend is a number (6 bytes), which rises with each, and 10 bytes that nobody else comes upon. By the number
 * a script knows which of two is the later one.
 */
const readScript = script(
  `redis.call('SET', KEYS[1], struct.pack('>I6', 1) .. ARGV[1], 'NX') return redis.call('GET', KEYS[1])`
)

/** Asked again, since an answer was lost on the way, it returns the same. */
const rotateScript = script(`
local fresh, expected = unpack(ARGV)
local id = redis.call('GET', KEYS[1])
if not id or id == expected then
  id = struct.pack('>I6', struct.unpack('>I6', id or expected) + 1) .. fresh
  redis.call('SET', KEYS[1], id)
end
return { id, string.sub(id, 7) == fresh and 1 or 0 }
`)

const fresh = (): Buffer => Buffer.from(crypto.getRandomValues(new Uint8Array(10)))

/** The id of a backend, which is kept in Redis for all nodes. */
export class Identity {
  readonly #redis: RedisClient
  readonly #key: string
  #known: EventJournal.RemoteId | undefined

  constructor(redis: RedisClient, { id }: Keys) {
    this.#redis = redis
    this.#key = id
  }

  /** The id when this node last asked: the history that its appends are of. */
  get known(): EventJournal.RemoteId | undefined {
    return this.#known
  }

  /** Asks for the id. The first node to ask makes it up. */
  async read(): Promise<EventJournal.RemoteId> {
    return this.#learn(await run(this.#redis, readScript, [this.#key], [fresh()]))
  }

  /** Gives the backend a new id in place of the one expected. */
  async rotate(expected: EventJournal.RemoteId): Promise<Rotation> {
    const reply = await run(this.#redis, rotateScript, [this.#key], [fresh(), Buffer.from(expected)])
    const [id, isNew] = reply as readonly [id: unknown, isNew: unknown]
    return { id: this.#learn(id), isNew: Number(isNew) === 1 }
  }

  /** ioredis hands out views of what it received. */
  #learn(reply: unknown): EventJournal.RemoteId {
    this.#known = Uint8Array.from(reply as Buffer) as EventJournal.RemoteId
    return this.#known.slice() as EventJournal.RemoteId
  }
}
