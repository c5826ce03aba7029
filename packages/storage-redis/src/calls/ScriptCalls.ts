import { type AppRedis, type Argument, isCluster } from "../client.ts"
import { isReply } from "../errors.ts"
import { run, type Script } from "../script.ts"
import type { EachScript } from "./eachScript.ts"

/** Calls of one command: it is one step of Redis, which nobody else should wait for long. */
const maxCalls = 100

/** What the arguments of one command may weigh, in bytes. A call that weighs more goes alone. */
const maxCommandBytes = 256 * 1024

/** A call that waits for the end of the turn. */
interface Call {
  readonly keys: ReadonlyArray<string>
  readonly args: ReadonlyArray<Argument>
  readonly resolve: (reply: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Text is short here: what weighs are buffers. */
const bytesOf = ({ args }: Call): number =>
  args.reduce<number>((sum, argument) => sum + (typeof argument === "object" ? argument.length : 0), 0)

/** Divides calls into those that fit one command. */
const groupsOf = (calls: ReadonlyArray<Call>): ReadonlyArray<ReadonlyArray<Call>> => {
  const groups: Array<Array<Call>> = []
  let room = 0
  for (const call of calls) {
    const bytes = bytesOf(call)
    const group = groups.at(-1)
    if (group !== undefined && group.length < maxCalls && bytes <= room) group.push(call)
    else {
      groups.push([call])
      room = maxCommandBytes
    }
    room -= bytes
  }
  return groups
}

/**
 * Runs scripts on stores and on public keys. Calls of one script that are made in the same turn of the event loop go as one
 * command: a command costs this thread, and Redis, much more than what most of these scripts do. Each call is an atomic
 * step of its own, and fails by itself.
 *
 * A cluster's keys lie on different servers, so there each call is a command. So it is behind a proxy that hides a cluster,
 * which says so when it is first asked.
 */
export class ScriptCalls {
  readonly #redis: AppRedis
  readonly #waiting = new Map<EachScript, Array<Call>>()
  #joins: boolean

  constructor(redis: AppRedis) {
    this.#redis = redis
    this.#joins = !isCluster(redis)
  }

  /** Runs a script for one store or key. Every call of a script has as many keys and arguments. */
  run(script: EachScript, keys: ReadonlyArray<string>, args: ReadonlyArray<Argument>): Promise<unknown> {
    if (!this.#joins) return run(this.#redis, script.one, keys, args)
    return new Promise((resolve, reject) => {
      const call = { keys, args, resolve, reject }
      const waiting = this.#waiting.get(script)
      if (waiting !== undefined) return void waiting.push(call)
      this.#waiting.set(script, [call])
      if (this.#waiting.size === 1) setImmediate(() => this.#send())
    })
  }

  #send(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const [script, calls] of waiting) {
      for (const group of groupsOf(calls)) {
        if (group.length > 1) void this.#sendTogether(script, group)
        else this.#sendAlone(script.one, group)
      }
    }
  }

  #sendAlone(script: Script, calls: ReadonlyArray<Call>): void {
    for (const { args, keys, reject, resolve } of calls) run(this.#redis, script, keys, args).then(resolve, reject)
  }

  async #sendTogether({ many, one }: EachScript, calls: ReadonlyArray<Call>): Promise<void> {
    const [first] = calls as readonly [Call, ...ReadonlyArray<Call>]
    const keys = calls.flatMap((call) => call.keys)
    const args = calls.flatMap((call) => call.args)
    try {
      const replies = await run(this.#redis, many, keys, [first.keys.length, first.args.length, ...args])
      for (const [index, reply] of (replies as ReadonlyArray<unknown>).entries()) {
        const { reject, resolve } = calls[index]!
        if (reply instanceof Error) reject(reply)
        else resolve(reply)
      }
    } catch (error) {
      if (!isReply(error, "CROSSSLOT")) return calls.forEach(({ reject }) => void reject(error))
      this.#joins = false
      this.#sendAlone(one, calls)
    }
  }
}
