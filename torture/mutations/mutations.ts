/** Tests that have to catch a bug. */
export interface CatchingTests {
  /** Files of tests, from the root of the repository on. */
  readonly test: string | ReadonlyArray<string>
  /** Only tests whose full names match this regular expression; vitest's `-t`. @default all of the files */
  readonly pattern?: string
}

/** A plausible bug, put into one file. */
export interface Mutation {
  readonly name: string
  /** Below `packages/`. */
  readonly file: string
  readonly from: string
  readonly to: string
  /** What has to catch it: the simulation, torture of a storage, or tests. */
  readonly by: "simulation" | "memory" | "sqlite" | CatchingTests
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
    file: "core/src/backend/WakeupListeners.ts",
    from: "onListen = (_, first) => first()",
    to: "onListen = () => {}"
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
    file: "core/src/processing/PageRun.ts",
    from: "      ids.pass(this.#entries)\n",
    to: "      ids.pass(this.#entries)\n      yield* turn.patiently(lease.advance(this.#knownOf(this.#entries.at(-1)!)))\n"
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
    file: "core/src/backend/cutoffs.ts",
    from: "cutoff > group.cutoff && group.events",
    to: "group.events"
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
    from: "  insert(bucket, place, entry)\n",
    to: ""
  },
  {
    name: "conflicts aren't looked for though a passed page has a greater id",
    by: "simulation",
    file: "core/src/processing/conflicts.ts",
    from: "    for (const { entry } of entries) this.#passed = greaterOf(this.#passed, entry.id)\n",
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
    from: "      look(storeId)\n",
    to: "      if (after !== undefined) look(storeId)\n"
  },
  {
    name: "a connection may act with keys that it did not prove",
    by: "memory",
    file: "core/src/connection/Grants.ts",
    from: "return goOn(this.require(publicKey), accept)",
    to: "return accept()"
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
    from: "const written = peer.grants.write({",
    to: "this.#answerWritten(call)\n    const written = peer.grants.write({"
  },
  {
    name: "a lease isn't fenced",
    by: "sqlite",
    file: "storage-kysely/src/transactions/leaseTransaction.ts",
    from: "lease_holder = $" + "{token} and processed = $" + "{cursor}",
    to: "1 = 1"
  },
  {
    name: "a lease among many is taken from whoever holds it",
    by: { test: ["packages/storage-kysely/test/leases.test.ts"] },
    file: "storage-kysely/src/progress/leaseUpdates.ts",
    from: "s.erased = 0 and s.lease_until <= $" + "{now}",
    to: "s.erased = 0"
  },
  {
    name: "a node heeds its own notifications",
    by: { test: ["packages/storage-kysely/test/wakeups.test.ts"] },
    file: "storage-kysely/src/wakeups/notifications.ts",
    from: "if (note === undefined || note.node === node) return",
    to: "if (note === undefined) return"
  },
  {
    name: "frames are let in whatever their rate",
    by: { test: ["packages/core/test/connection/account.test.ts", "packages/core/test/connection/session.test.ts"] },
    file: "core/src/connection/Account.ts",
    from: "if (this.#tokens < 1) return Math.ceil(((1 - this.#tokens) * 1000) / rate)\n    this.#tokens--",
    to: "this.#tokens--"
  },
  {
    name: "a batch is let in whatever is being written",
    by: { test: "packages/core/test/connection/account.test.ts" },
    file: "core/src/connection/Account.ts",
    from: "return this.#worked <= this.#maxReceived / 2",
    to: "return this.#worked >= 0"
  },
  {
    name: "a write waits for no room",
    by: { test: "packages/core/test/connection/session.test.ts" },
    file: "core/src/connection/Grants.ts",
    from: "const granted = goOn(this.room, () => access.writeAtOnce(publicKey, entries, run))",
    to: "const granted = access.writeAtOnce(publicKey, entries, run)"
  },
  {
    name: "a batch of effect's client is decoded without room",
    by: { test: "packages/core/test/protocols/rpc/operations.test.ts" },
    file: "core/src/protocols/rpc/Handlers.ts",
    from: "goOn(peer.grants.require(), () => peer.grants.room)",
    to: "peer.grants.require()"
  },
  {
    name: "what entries cost besides their bytes isn't counted",
    by: { test: "packages/core/test/connection/session.test.ts" },
    file: "core/src/wire/limits.ts",
    from: "export const entryCost = 512",
    to: "export const entryCost = 0"
  },
  {
    name: "what frames cost besides their bytes isn't counted",
    by: { test: "packages/core/test/connection/admission.test.ts" },
    file: "core/src/wire/limits.ts",
    from: "export const frameCost = 256",
    to: "export const frameCost = 0"
  },
  {
    name: "parts of unfinished messages aren't counted",
    by: {
      test: ["packages/core/test/connection/account.test.ts", "packages/core/test/connection/inboundBytes.test.ts"]
    },
    file: "core/src/connection/Account.ts",
    from: `    this.#parts += bytes
    this.change(bytes, 0)
`,
    to: "    this.change(bytes - bytes, 0)\n"
  },
  {
    name: "the parts of a message stay counted when it is put together",
    by: { test: "packages/core/test/connection/inboundBytes.test.ts" },
    file: "core/src/connection/Connection.ts",
    from: "      account.changeParts(-(bytes.byteLength + part.part[1] * frameCost))\n",
    to: ""
  },
  {
    name: "as many as like to may be connected without a key",
    by: { test: "packages/core/test/connection/admission.test.ts" },
    file: "core/src/connection/OpenConnections.ts",
    from: "if (this.#unproved.size <= this.#limits.maxUnprovedConnections) return",
    to: "if (this.#unproved.size >= 0) return"
  },
  {
    name: "a closed socket doesn't count",
    by: { test: "packages/core/test/connection/admission.test.ts" },
    file: "core/src/connection/OpenConnections.ts",
    from: "return this.live.size + this.#closing.size",
    to: "return this.live.size"
  },
  {
    name: "nobody ends a socket whose peer doesn't answer",
    by: { test: "packages/core/test/connection/admission.test.ts" },
    file: "core/src/connection/OpenConnections.ts",
    from: "      connection.terminate()\n",
    to: ""
  },
  {
    name: "a big frame is taken before a key was proved",
    by: { test: "packages/core/test/connection/admission.test.ts" },
    file: "core/src/connection/Connection.ts",
    from: "frame.byteLength <= limits.maxUnprovedFrameBytes) return frame",
    to: "frame.byteLength <= limits.maxFrameBytes) return frame"
  },
  {
    name: "identity isn't asked about a key that is proved already",
    by: { test: "packages/core/test/connection/grants.test.ts" },
    file: "core/src/connection/Grants.ts",
    from: `    return Effect.suspend(() => {
      this.#beginGranting(claim.publicKey)
`,
    to: `    return Effect.suspend(() => {
      const known = this.#proved.get(claim.publicKey)
      if (known?.signingPublicKey.every((byte, index) => byte === claim.signingPublicKey[index])) return Effect.void
      this.#beginGranting(claim.publicKey)
`
  },
  {
    name: "a note about a key that is being proved is ignored",
    by: { test: "packages/core/test/connection/races.test.ts" },
    file: "core/src/connection/Grants.ts",
    from: "Effect.suspend(() => (this.#isInDoubt ? this.#checkBinding(claim) : Effect.void))",
    to: "Effect.void"
  },
  {
    name: "a note about a subscription that is being opened is ignored",
    by: { test: "packages/core/test/connection/races.test.ts" },
    file: "core/src/connection/Grants.ts",
    from: "      if (this.#isInDoubt) yield* this.#checkReading({ publicKey, storeId })\n",
    to: ""
  },
  {
    name: "a callback that hangs keeps its place among those that are asked",
    by: { test: "packages/core/test/connection/session.test.ts" },
    file: "core/src/connection/recheck.ts",
    from: "placed(readsOf(subject))",
    to: "readsOf(subject)"
  },
  {
    name: "nobody is closed above the budget",
    by: { test: "packages/core/test/connection/account.test.ts" },
    file: "core/src/connection/Budget.ts",
    from: "    while (this.#held > this.#maxBytes && this.#evictGreediest());\n",
    to: ""
  },
  {
    name: "the budget stays full of who lets nothing go",
    by: { test: "packages/core/test/connection/account.test.ts" },
    file: "core/src/connection/Budget.ts",
    from: "if (this.#held > this.#highWater) this.#evictGreediest()\n    else this.#resumeSome()",
    to: "this.#resumeSome()"
  },
  {
    name: "a request is decoded whatever it declares",
    by: { test: "packages/core/test/wire/hostile.test.ts" },
    file: "core/src/wire/codec.ts",
    from: "bounds: boundsOf(bounds), ",
    to: ""
  },
  {
    name: "a slow handler keeps the turn of its store",
    by: { test: "packages/core/test/processing/turns.test.ts" },
    file: "core/src/processing/turns.ts",
    from: "Effect.map(giveBack, () => {",
    to: "Effect.sync(() => {"
  },
  {
    name: "a handler is given more conflicts than an entry may have",
    by: { test: "packages/core/test/processing/conflicts.test.ts" },
    file: "core/src/processing/conflicts.ts",
    from: "return areTooMany ? new",
    to: "return false ? new"
  },
  {
    name: "a handler is given some of its conflicts",
    by: { test: "packages/core/test/processing/conflicts.test.ts" },
    file: "core/src/processing/conflicts.ts",
    from: "const whole = end === -1 ? found : found.slice(0, end)",
    to: "const whole = found"
  },
  {
    name: "the conflicts of a page are held all together",
    by: { test: "packages/core/test/processing/conflicts.test.ts" },
    file: "core/src/processing/conflicts.ts",
    from: "maxTotalBytes: maxBytes",
    to: "maxTotalBytes: Number.MAX_SAFE_INTEGER"
  },
  {
    name: "a write of effect's client is decoded however many entries it declares",
    by: { test: "packages/core/test/protocols/rpc/writeEntries.property.test.ts" },
    file: "core/src/protocols/rpc/WriteReader.ts",
    from: "    if (this.count > maxEntries) throw tooMany(maxEntries)\n",
    to: ""
  },
  {
    name: "entries of effect's client keep the whole message in memory",
    by: { test: "packages/core/test/protocols/rpc/writeEntries.property.test.ts" },
    file: "core/src/protocols/rpc/ByteReader.ts",
    from: "return new Uint8Array(this.#bytes.subarray(start, this.#position))",
    to: "return this.#bytes.subarray(start, this.#position) as Uint8Array<ArrayBuffer>"
  },
  {
    name: "a whole write is whatever stands where its data should",
    by: { test: "packages/core/test/protocols/rpc/payloads.test.ts" },
    file: "core/src/protocols/rpc/payloads.ts",
    from: "return data?.isSized === true",
    to: "return data !== undefined"
  },
  {
    name: "ids and tags of effect's client may be as long as they like",
    by: { test: "packages/core/test/protocols/rpc/envelope.property.test.ts" },
    file: "core/src/protocols/rpc/envelope.ts",
    from: "return reading(limits.maxNameBytes)",
    to: "return reading(Number.POSITIVE_INFINITY)"
  },
  {
    name: "what comes with a call of effect's client is decoded however big it is",
    by: { test: "packages/core/test/protocols/rpc/payloads.test.ts" },
    file: "core/src/protocols/rpc/payloads.ts",
    from: "return !bringsData || payload.byteLength - dataBytes <= maxBesideDataBytes ? fields : undefined",
    to: "return payload.byteLength >= dataBytes ? fields : undefined"
  },
  {
    name: "an append presents nothing that is known of its feed",
    by: { test: "packages/core/test/continuity/continuity.test.ts" },
    file: "core/src/continuity/guardFeeds.ts",
    from: "(last) => feeds.append(storeId, records, last)",
    to: "() => feeds.append(storeId, records)"
  },
  {
    name: "what was committed here is taken to follow whatever others appended between",
    by: { test: "packages/core/test/continuity/FreshEntries.property.test.ts" },
    file: "core/src/continuity/FreshEntries.ts",
    from: "window !== undefined && first.remoteSequence === endOf(window) + 1",
    to: "window !== undefined"
  },
  {
    name: "a burst of writes makes a frame of each",
    by: { test: "packages/core/test/feed/pause.test.ts" },
    file: "core/src/feed/News.ts",
    from: "return rest <= 0 || isPressing()",
    to: "return rest <= pauseMillis || isPressing()"
  },
  {
    name: "the end of a store waits until a burst of its writes has gone out",
    by: { test: "packages/core/test/feed/pause.test.ts" },
    file: "core/src/feed/tail.ts",
    from: "    if (head === undefined) return this.publishStored(view, storeId)\n",
    to: "    if (head === undefined) return this.publishNew(view, storeId, Number.MAX_SAFE_INTEGER)\n"
  },
  {
    name: "a tail passes over a wake-up that tells of the entry it waits for",
    by: { test: "packages/core/test/feed" },
    file: "core/src/feed/tail.ts",
    from: "return this.next > head ? Effect.void : this.publishStored(view, storeId)\n    })\n  }\n\n  /** The next page",
    to: "return this.next >= head ? Effect.void : this.publishStored(view, storeId)\n    })\n  }\n\n  /** The next page"
  },
  {
    name: "a store's holder passes over word of the entry behind its cursor",
    by: { test: "packages/core/test/processing" },
    file: "core/src/processing/storeLoops.ts",
    from: "if (wanted <= cursor.reached) return",
    to: "if (wanted <= cursor.reached + 1) return"
  },
  {
    name: "a cursor is saved beyond what ran",
    by: { test: "packages/core/test/processing/cursors.test.ts" },
    file: "core/src/processing/PageRun.ts",
    from: "    const run = this.#runEntry(index, call)\n",
    to: "    this.#holding.cursor.ran(entry.remoteSequence, entry.entry.id)\n    const run = this.#runEntry(index, call)\n"
  },
  {
    name: "a cursor isn't saved by a node that closes",
    by: { test: "packages/core/test/processing/cursors.test.ts" },
    file: "core/src/processing/storeLoops.ts",
    from: "(tenure?.holding.cursor.leave(giveUp) ?? Effect.void)",
    to: "Effect.void"
  },
  {
    name: "a store leaves before what ran is saved",
    by: { test: "packages/core/test/processing/cursors.test.ts" },
    file: "core/src/processing/storeLoops.ts",
    from: "return Effect.andThen(this.#turn.end, holding.cursor.save)",
    to: "return Effect.andThen(this.#turn.end, Effect.sync(() => holding))"
  },
  {
    name: "a bucket that ends behind the beginning of a history is sent in it",
    by: { test: "packages/core/test/compaction/beginning.property.test.ts" },
    file: "core/src/compaction/projection.ts",
    from: "if (bucket === undefined || bucket.last !== last) continue",
    to: "if (bucket === undefined) continue"
  },
  {
    name: "a history's beginning is found up to what is old enough for one of its groups",
    by: { test: "packages/core/test/compaction/beginning.property.test.ts" },
    file: "core/src/compaction/beginning.ts",
    from: "Math.min(...found.map((group) => group.cutoff))",
    to: "Math.max(...found.map((group) => group.cutoff))"
  },
  {
    name: "a device that was cut off is sent what follows as if there had never been a compactor",
    by: { test: "packages/core/test/compaction/projection.property.test.ts" },
    file: "core/src/compaction/compaction.ts",
    from: "from > 1 ? groups :",
    to: "from < 1 ? groups :"
  },
  {
    name: "a device is told the head of whoever read its page before it",
    by: { test: "packages/core/test/feed" },
    file: "core/src/feed/HistoryPages.ts",
    from: "if (page !== undefined) return Effect.succeed({ page, head: undefined })",
    to: "if (page !== undefined) return Effect.succeed({ page, head: page.last })"
  },
  {
    name: "every call that meets a loss gives the backend a new id",
    by: { test: "packages/core/test/continuity/continuity.test.ts" },
    file: "core/src/continuity/continuity.ts",
    from: "(began === epoch ? rotate(lost) : Effect.void)",
    to: "rotate(lost)"
  },
  {
    name: "who reads on goes on in another history",
    by: {
      test: ["packages/core/test/continuity/continuity.test.ts", "packages/core/test/processing/feedLost.test.ts"]
    },
    file: "core/src/continuity/continuity.ts",
    from: "isBroken: (began) => began !== epoch,",
    to: "isBroken: () => false,"
  },
  {
    name: "a cursor moves over entries that the feed lost",
    by: { test: ["packages/core/test/memory/conformance.test.ts", "packages/core/test/processing/feedLost.test.ts"] },
    file: "core/src/memory/storeProgress.ts",
    from: "if (!holds(storeId, processed)) return",
    to: "if (false as boolean) return"
  },
  {
    name: "devices stay on a connection whose history is lost",
    by: { test: "packages/core/test/memory/conformance.test.ts", pattern: "loss" },
    file: "core/src/connection/connections.ts",
    from: "for (const connection of outdated) connection.close",
    to: "for (const connection of outdated.slice(1)) connection.close"
  }
]
