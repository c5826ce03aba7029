/** A plausible bug, put into one file. */
export interface Mutation {
  readonly name: string
  /** Below `packages/`. */
  readonly file: string
  readonly from: string
  readonly to: string
  /** What has to catch it: the simulation, or torture of a storage. */
  readonly by: "simulation" | "memory" | "sqlite"
}

/** Bugs that systems like this have had, or that its design says how it avoids. */
export const mutations: ReadonlyArray<Mutation> = [
  {
    name: "ack before commit",
    by: "simulation",
    file: "core/src/ingest/appendQueue.ts",
    from: "return Effect.flatMap(Effect.exit(restore(this.appendAll(records))), (exit) =>",
    to: `if (this.guess !== undefined) {
      const first = this.guess + 1
      this.guess += records.length
      this.settle(group, Exit.succeed(records.map((_, index) => ({ sequence: first + index, isNew: true }))))
      return Effect.ignore(this.appendAll(records))
    }
    return Effect.flatMap(Effect.tap(Effect.exit(restore(this.appendAll(records))), (exit) => Effect.sync(() => {
      if (Exit.isSuccess(exit)) this.guess = exit.value.at(-1)?.sequence
    })), (exit) =>`
  },
  {
    name: "a wake-up is lost between looking and listening",
    by: "simulation",
    file: "core/src/memory/feedStore.ts",
    from: "          listen(state, storeId, listener)\n          listener()",
    to: "          listen(state, storeId, listener)"
  },
  {
    name: "a device's own entries are left out",
    by: "simulation",
    file: "core/src/connection/Subscriptions.ts",
    from: "if (!running.stopped) sink.deliver(page, from)",
    to: "if (!running.stopped && !page.entries.every(({ author }) => author === running.publicKey)) sink.deliver(page, from)"
  },
  {
    name: "a repeat gets a new sequence",
    by: "simulation",
    file: "core/src/memory/MemoryFeed.ts",
    from: "if (known !== undefined) return { sequence: known, isNew: false }",
    to: "if (known !== undefined && known < this.head) return { sequence: known, isNew: false }"
  },
  {
    name: "the cursor is moved before the handler ran",
    by: "simulation",
    file: "core/src/processing/holder.ts",
    from: "      yield* processPage(holding, page)",
    to: "      yield* patiently(lease.advance(cursor + page.entries.length))\n      yield* processPage(holding, page)"
  },
  {
    name: "the live tail is joined one late",
    by: "simulation",
    file: "core/src/feed/tail.ts",
    from: "rider.next < oldest) {",
    to: "rider.next + 1 < oldest) {"
  },
  {
    name: "a page that was read when the sink was full is skipped",
    by: "simulation",
    file: "core/src/feed/tail.ts",
    from: 'if (!rider.sink.ready()) return this.drop(rider, "Slow")',
    to: 'if (!rider.sink.ready()) {\n        rider.next = page.last + 1\n        return this.drop(rider, "Slow")\n      }'
  },
  {
    name: "compaction sees only what the device lacks",
    by: "simulation",
    file: "core/src/compaction/plan.ts",
    from: "fromSequence: 1, toSequence: this.head }",
    to: "fromSequence: entry.remoteSequence, toSequence: this.head }"
  },
  {
    name: "entries are compacted by age alone",
    by: "simulation",
    file: "core/src/compaction/plan.ts",
    from: "toSequence: Math.min(range.toSequence, (young[index]?.first ?? Number.POSITIVE_INFINITY) - 1)",
    to: "toSequence: young[index] === undefined ? range.toSequence : this.head"
  },
  {
    name: "a compaction cut-off falls",
    by: "simulation",
    file: "core/src/memory/storeProgress.ts",
    from: "{ ...group, cutoff: Math.max(group.cutoff, cutoff) }",
    to: "{ ...group, cutoff }"
  },
  {
    name: "one request's failure fails its group",
    by: "simulation",
    file: "core/src/ingest/appendQueue.ts",
    from: "Exit.isFailure(exit) && group.length > 1 && isForGood(exit.cause)",
    to: "false as boolean && isForGood((exit as Exit.Failure<never, AppendError>).cause)"
  },
  {
    name: "conflicts of the page itself are forgotten",
    by: "simulation",
    file: "core/src/processing/conflicts.ts",
    from: "    candidates.splice(place, 0, entry)\n",
    to: ""
  },
  {
    name: "conflicts aren't looked for though a passed page has a greater id",
    by: "simulation",
    file: "core/src/processing/PassedIds.ts",
    from: "    for (const { entry } of entries) this.passed = greaterOf(this.passed, entry.id)\n",
    to: ""
  },
  {
    name: "an outage of the backend ends a subscription",
    by: "simulation",
    file: "core/src/feed/outage.ts",
    from: "Effect.retry({ schedule: backoff, while: isOutage })",
    to: "Effect.catch(() => Effect.never)"
  },
  {
    name: "handlers aren't resumed where another node died",
    by: "simulation",
    file: "core/src/processing/sweep.ts",
    from: "if (cursors[index] === head) continue",
    to: "if (cursors[index] !== 0) continue"
  },
  {
    name: "a connection may act with keys that it did not prove",
    by: "memory",
    file: "core/src/connection/Grants.ts",
    from: "      this.require(request.publicKey),\n",
    to: "      Effect.void as Effect.Effect<void, RequestError>,\n"
  },
  {
    name: "the client goes on one too far after a cut",
    by: "memory",
    file: "core/src/client/subscription.ts",
    from: "call.next = last + 1",
    to: "call.next = last + 2"
  },
  {
    name: "the client forgets what was under way when the connection broke",
    by: "memory",
    file: "core/src/client/writer.ts",
    from: 'Effect.retry({ while: (error) => error._tag === "ConnectionFailure" }),\n      link.while',
    to: 'Effect.catchTag("ConnectionFailure", () => Effect.void),\n      link.while'
  },
  {
    name: "a write of effect's client is answered before it is stored",
    by: "sqlite",
    file: "core/src/protocols/rpc/Handlers.ts",
    from: "const write = peer.grants.write({",
    to: "this.#answer(call, Exit.succeed([]))\n      const write = peer.grants.write({"
  },
  {
    name: "a lease isn't fenced",
    by: "sqlite",
    file: "storage-kysely/src/transactions/leaseTransaction.ts",
    from: "lease_holder = $" + "{token} and processed = $" + "{cursor}`",
    to: "1 = 1`"
  }
]
