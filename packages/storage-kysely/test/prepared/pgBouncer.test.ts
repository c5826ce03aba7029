import { pgBouncerMissing, startPgBouncer } from "@eventlog-server/testkit/databases"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { EventLogMessage } from "effect/eventlog"
import { expect, it, onTestFinished } from "vitest"
import { databases } from "../databases/databases.ts"
import { openApp, openNode, openTables, storeId } from "./node.ts"

const away = databases.find(({ name }) => name === "postgres")?.away

/** A node behind the pooler, with connections that it mixes with one another. */
const openBehindPooler = async (preparedStatements?: boolean) => {
  const { schema } = await openTables()
  const pooler = await startPgBouncer()
  onTestFinished(pooler.remove)
  return openNode(openApp({ connectionString: pooler.url, max: 8 }), schema, preparedStatements)
}

/** Does a bit of everything at once, on many connections. */
const work = async ({ append, process, read, findKeys }: Awaited<ReturnType<typeof openBehindPooler>>) => {
  await append()
  for (let round = 0; round < 10; round++) {
    const stores = Array.from({ length: 8 }, (_, index) => EventLogMessage.StoreId.make(`store ${index}`))
    await Promise.all([
      append(),
      process(),
      ...stores.map((store) => append(store)),
      read(),
      findKeys(["a", "b"]),
      read(2)
    ])
  }
  const { entries, head } = await read()
  expect(head).toBe(11)
  expect(entries.map(({ remoteSequence }) => remoteSequence)).toEqual(Array.from({ length: 11 }, (_, i) => i + 1))
}

describeUnless(away ?? pgBouncerMissing())("PgBouncer that shares connections between transactions", () => {
  it("is passed by everything without prepared statements", async () => {
    const node = await openBehindPooler(false)
    await work(node)
    expect(node.warnings).toEqual([])
  })

  it("makes a node that prepares statements do without them, with one warning", async () => {
    const node = await openBehindPooler()
    await work(node)
    expect(node.warnings.length).toBe(1)
    expect(String(node.warnings[0])).toContain("preparedStatements: false")
    expect((await node.append(storeId)).length).toBe(1)
    expect(node.warnings.length).toBe(1)
  })
})
