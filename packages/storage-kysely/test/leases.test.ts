import { type FeedAdmin, FeedStore, type Lease, type StoreId, StoreProgress } from "@eventlog-server/core/backend"
import { freshName, ownPostgresMissing, postgresUrl, startPostgres } from "@eventlog-server/testkit/databases"
import { TcpProxy, targetOf } from "@eventlog-server/testkit/network"
import { makeRecord } from "@eventlog-server/testkit/schema"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Effect, Exit, Layer, Logger, ManagedRuntime, Option, Scope } from "effect"
import { EventLogMessage } from "effect/eventlog"
import { type Kysely, sql } from "kysely"
import { describe, expect, it, onTestFinished } from "vitest"
import { ensureSchema, type KyselyBackendOptions, kyselyBackend } from "../src/index.ts"
import { databases, type TestDatabase } from "./databases/databases.ts"
import { dropSchema, openPostgres } from "./databases/postgres.ts"

const storeIds = Array.from({ length: 40 }, (_, index) => EventLogMessage.StoreId.make(`store ${index}`))
const together = { concurrency: "unbounded" } as const

/** A node until the test is over, and what it takes, which it gives back then at the latest. */
const openNode = <DB>(options: Omit<KyselyBackendOptions<DB>, "transactionalHandlers">) => {
  const { layer } = kyselyBackend(options)
  const runtime = ManagedRuntime.make(Layer.fresh(Layer.provide(layer, Logger.layer([]))))
  const scopes: Array<Scope.Closeable> = []
  const run = <A, E>(effect: Effect.Effect<A, E, FeedStore | FeedAdmin | StoreProgress>) => runtime.runPromise(effect)
  const giveBack = () => run(Effect.forEach(scopes.splice(0), (scope) => Scope.close(scope, Exit.void), together))
  onTestFinished(() => giveBack().then(runtime.dispose))
  return {
    run,
    giveBack,
    /** Takes leases, all of them at the same time. */
    take: (ids: ReadonlyArray<StoreId>) =>
      run(
        StoreProgress.use(({ lease }) =>
          Effect.forEach(
            ids,
            (storeId) => {
              const scope = Scope.makeUnsafe()
              scopes.push(scope)
              return Scope.provide(lease(storeId), scope)
            },
            together
          )
        )
      )
  }
}

type Node = ReturnType<typeof openNode>

/** Writes an entry to each store, and returns how the cursor of a lease is moved to it. */
const write = async ({ run }: Node, ids: ReadonlyArray<StoreId>) => {
  const records = new Map(ids.map((storeId) => [storeId, makeRecord()]))
  await run(
    FeedStore.use((feeds) => Effect.forEach(records, ([storeId, record]) => feeds.append(storeId, [record]), together))
  )
  return (storeId: StoreId, lease: Option.Option<Lease>) =>
    Option.getOrThrow(lease).advance({ sequence: 1, id: records.get(storeId)!.entry.id })
}

const tableOf = ({ options: { schema } }: Pick<TestDatabase<unknown>, "options">) =>
  sql.table(schema === undefined ? "eventlog_stores" : `${schema}.eventlog_stores`)

for (const { away, name, open, singleConnection } of databases) {
  describe.skipIf(away !== undefined)(`leases of many stores: ${name}${away === undefined ? "" : `: ${away}`}`, () => {
    const setUp = async (leaseTime?: KyselyBackendOptions<unknown>["leaseTime"]) => {
      const database = await open<unknown>(10)
      const [one, other] = [database.db, database.openAnother()].map((db) =>
        openNode({ db, leaseTime, ...database.options })
      ) as [Node, Node]
      return { database, one, other }
    }

    it("are taken by whoever comes first, each with its cursor", async () => {
      const { database, one, other } = await setUp()
      const [mine, unused] = [storeIds.slice(0, 20), storeIds.slice(30)]
      const [held, erased, old] = [mine[3]!, storeIds[20]!, storeIds[21]!]
      const advance = await write(one, storeIds.slice(0, 30))
      await sql`update ${tableOf(database)} set erased = 1 where store_id = ${erased}`.execute(database.db)
      await sql`update ${tableOf(database)} set lease_holder = 'dead', lease_until = 1
        where store_id = ${old}`.execute(database.db)

      const taken = await one.take(mine)
      expect(taken.every(Option.isSome)).toBe(true)
      await one.run(advance(held, taken[3]!))
      const asked = [...storeIds, old, ...unused.slice(0, 1)]
      const found = await other.take(asked)
      const got = asked.flatMap((storeId, index) => (Option.isSome(found[index]!) ? [storeId] : []))
      // One that is asked for twice is taken once.
      expect(got.toSorted()).toEqual(storeIds.slice(21).toSorted())

      await one.giveBack()
      const cursors = (await other.take(mine)).map((lease) => Option.getOrThrow(lease).cursor)
      expect(cursors).toEqual(mine.map((storeId) => (storeId === held ? 1 : 0)))
    })

    it("are renewed, and lost by those whom they were taken from", async () => {
      const { database, one, other } = await setUp("3 seconds")
      const table = tableOf(database)
      await write(one, storeIds)
      await one.take(storeIds)
      const [lost, ...kept] = storeIds as [StoreId, ...Array<StoreId>]
      await sql`update ${table} set lease_holder = 'somebody', lease_until = 1 where store_id = ${lost}`.execute(
        database.db
      )
      const ends = async (ids: ReadonlyArray<StoreId>) => {
        const { rows } = await sql<{ readonly lease_until: number | string }>`select lease_until from ${table}
          where store_id in (${sql.join(ids)})`.execute(database.db)
        return rows.map(({ lease_until }) => Number(lease_until))
      }
      const latest = Math.max(...(await ends(kept)))
      await expect.poll(async () => Math.min(...(await ends(kept)))).toBeGreaterThan(latest)
      expect(await ends([lost])).toEqual([1])
      expect((await other.take(storeIds)).map(Option.isSome)).toEqual(storeIds.map((storeId) => storeId === lost))
    })

    it.skipIf(singleConnection)("wait for no store whose row somebody holds", async () => {
      const { database, one } = await setUp()
      const [held, ...others] = storeIds as [StoreId, ...Array<StoreId>]
      const advance = await write(one, storeIds)
      const leases = await one.take(storeIds)
      const transaction = await database.openAnother().startTransaction().execute()
      await sql`update ${tableOf(database)} set head = head where store_id = ${held}`.execute(transaction)
      let isDone = false
      const waiting = Effect.tap(advance(held, leases[0]!), () => {
        isDone = true
        return Effect.void
      })
      const rest = Effect.forEach(others, (storeId, index) => advance(storeId, leases[index + 1]!), together)
      const letGo = Effect.promise(async () => {
        expect(isDone).toBe(false)
        await transaction.commit().execute()
      })
      await one.run(Effect.all([waiting, Effect.andThen(rest, letGo)], together))
      const cursors = await one.run(StoreProgress.use((progress) => progress.cursors(storeIds)))
      expect(cursors).toEqual(storeIds.map(() => 1))
    })
  })
}

const postgres = databases.find(({ name }) => name === "postgres")!

describe.skipIf(postgres.away !== undefined)("leases of many stores on PostgreSQL", () => {
  it("are taken, moved and given back in a statement each, and renewed in few", async () => {
    const statements: Array<string> = []
    const db = openPostgres({ max: 4 }, ({ sql }) => void statements.push(`${sql}`))
    const options = { dialect: "postgres", schema: freshName() } as const
    onTestFinished(() => dropSchema(db, options.schema).finally(() => db.destroy()))
    await ensureSchema(db, options)
    const node = openNode({ db, ...options, leaseTime: "3 seconds", preparedStatements: false })
    const other = openNode({ db, ...options, preparedStatements: false })
    const advance = await write(node, storeIds)
    const cost = async <A>(work: () => Promise<A>): Promise<readonly [number, A]> => {
      statements.length = 0
      const result = await work()
      return [statements.length, result]
    }
    const [taking, leases] = await cost(() => node.take(storeIds))
    expect(taking).toBe(1)
    // A try, and a look why it was in vain.
    const [trying] = await cost(() => other.take(storeIds))
    expect(trying).toBe(2)
    const move = () =>
      node.run(Effect.forEach(storeIds, (storeId, index) => advance(storeId, leases[index]!), together))
    const [moving] = await cost(move)
    expect(moving).toBe(1)
    const [giving] = await cost(node.giveBack)
    expect(giving).toBe(1)

    // Those that were taken one after the other are renewed together, too.
    for (const storeId of storeIds) await node.take([storeId])
    const table = tableOf({ options })
    const ends = () => sql<{ readonly first: string; readonly last: string }>`
      select min(lease_until) as first, max(lease_until) as last from ${table}`
    const [taken] = (await ends().execute(db)).rows
    statements.length = 0
    await expect
      .poll(async () => Number((await ends().execute(db)).rows[0]?.first))
      .toBeGreaterThan(Number(taken?.last))
    expect(statements.filter((text) => text.includes("set lease_until =")).length).toBeLessThan(8)
  })
})

describe.skipIf(postgres.away !== undefined)("a lease on PostgreSQL", () => {
  it("is had by whoever took it, though the answer was lost", async () => {
    const { db: admin, options } = await postgres.open<unknown>(1)
    const proxy = await TcpProxy.open(targetOf(postgresUrl))
    const db = openPostgres({ connectionString: proxy.through(postgresUrl), max: 2 })
    onTestFinished(() => db.destroy().then(proxy.close))
    const node = openNode({ db, ...options, preparedStatements: false })
    const ids = storeIds.slice(0, 3)
    await write(node, ids)
    proxy.loseAnswerTo("set lease_holder")
    expect((await node.take(ids)).map(Option.isSome)).toEqual(ids.map(() => true))
    const { rows } = await sql`select 1 from ${tableOf({ options })} where lease_holder is not null`.execute(admin)
    expect(rows.length).toBe(ids.length)
  })
})

describeUnless(ownPostgresMissing())("a PostgreSQL whose commits wait for a replica that isn't there", () => {
  const openDatabase = async () => {
    const { remove, url } = await startPostgres()
    const db = openPostgres({ connectionString: url })
    const admin = openPostgres({ connectionString: url, max: 1, options: "-c synchronous_commit=off" })
    onTestFinished(async () => {
      await Promise.all([db.destroy(), admin.destroy()])
      await remove()
    })
    await ensureSchema(admin, { dialect: "postgres" })
    return { admin, db }
  }

  const waitForReplica = async (admin: Kysely<unknown>, replica: string) => {
    await sql`alter system set synchronous_standby_names = ${sql.lit(replica)}`.execute(admin)
    await sql`select pg_reload_conf()`.execute(admin)
    const shown = () => sql<{ readonly name: string }>`select current_setting('synchronous_standby_names') as name`
    await expect.poll(async () => (await shown().execute(admin)).rows).toEqual([{ name: replica }])
  }

  it("moves cursors, and gives leases back, without waiting, and keeps appends waiting", async () => {
    const { admin, db } = await openDatabase()
    const node = openNode({ db, dialect: "postgres" })
    const [first, second, third] = storeIds as [StoreId, StoreId, StoreId]
    const ids = [first, second, third]
    const advance = await write(node, ids)
    const [one, ...others] = await node.take(ids)
    // Whatever waits must not keep the test from ending.
    onTestFinished(() => waitForReplica(admin, ""))
    await waitForReplica(admin, "nobody")
    await node.run(advance(first, one!))
    await node.run(
      Effect.all(
        others.map((lease, index) => advance(ids[index + 1]!, lease)),
        together
      )
    )
    expect(await node.run(StoreProgress.use((progress) => progress.cursors(ids)))).toEqual([1, 1, 1])
    await node.giveBack()
    let isDone = false
    const appended = node.run(FeedStore.use((feeds) => feeds.append(first, [makeRecord()]))).then(() => {
      isDone = true
    })
    const waiting = () => sql`select 1 from pg_stat_activity where wait_event = 'SyncRep'`.execute(admin)
    await expect.poll(async () => (await waiting()).rows.length).toBe(1)
    expect(isDone).toBe(false)
    await waitForReplica(admin, "")
    await appended
  })
})
