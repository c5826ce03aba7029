import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { postgresMissing, temporaryFolder } from "@eventlog-server/testkit/databases"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { expect, it, onTestFinished } from "vitest"

const fileOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** Runs the bench on the sources, so that nothing has to be built before. */
const bench = (...args: ReadonlyArray<string>) =>
  promisify(execFile)(process.execPath, [
    ...["--import", fileOf("docs/test/resolveSources.ts"), fileOf("bench/src/main.ts")],
    ...["--server", fileOf("examples/server/src/main.ts"), ...args]
  ])

it("prints one JSON object with every result's figures and ratios, and draws them", async () => {
  const { path, remove } = await temporaryFolder()
  onTestFinished(remove)
  const plot = join(path, "results.svg")
  const only = ["--only", "ingest/memory", "--only", "micro/processing"]
  const { stdout } = await bench("--quick", "--seconds", "0.2", "--json", "--plot", plot, ...only)
  const [ingest, processing] = JSON.parse(stdout).results
  const { limit, ours, peer } = ingest
  expect(Math.min(ours, peer, limit)).toBeGreaterThan(0)
  expect(ingest).toMatchObject({
    ...{ name: "ingest/memory/64x1", unit: "entries/s", skipped: [] },
    ...{ ratioToPeer: ours / peer, ratioToLimit: ours / limit }
  })
  for (const role of ["ours", "peer", "limit"]) {
    const { "p50 ms": p50, "p99 ms": p99, "p99.9 ms": p999 } = ingest.details[role]
    expect(p50).toBeGreaterThan(0)
    expect(p99).toBeGreaterThanOrEqual(p50)
    expect(p999).toBeGreaterThanOrEqual(p99)
  }
  expect(processing).toMatchObject({
    ...{ name: "micro/processing", ours: expect.any(Number), skipped: [] },
    ...{ peer: null, bare: null, limit: null, ratioToPeer: null, ratioToBare: null, ratioToLimit: null }
  })
  expect(await readFile(plot, "utf8")).toMatch(/^<svg .*ingest\/memory\/64x1.*<\/svg>\n$/s)
}, 120_000)

describeUnless(await postgresMissing())("on PostgreSQL", () => {
  it("counts the statements of a bare server and of ours", async () => {
    const only = ["--only", "ingest/postgres/1x1", "--beside", "bare"]
    const { stdout } = await bench("--seconds", "0.3", "--rounds", "1", "--json", ...only)
    const [{ bare, details, skipped }] = JSON.parse(stdout).results
    expect(skipped).toEqual([])
    expect(bare).toBeGreaterThan(0)
    // What the edges of the time cut through is counted half.
    expect(details.bare["statements/entry"]).toBeCloseTo(2, 0)
    expect(details.ours["statements/entry"]).toBeGreaterThan(1)
  }, 120_000)

  it("tells the rows that a long history costs, and what devices do that come back together", async () => {
    const { stdout } = await bench("--quick", "--json", "--only", "history", "--only", "storm")
    const [history, storm] = JSON.parse(stdout).results
    expect(history).toMatchObject({
      name: "history/postgres/compacted-20000",
      unit: "ms until all is there",
      skipped: []
    })
    // One for each of 1,000 that are alive to find it, and one to fetch it.
    expect(history.details.bare["of entries"]).toBe(2_000)
    expect(history.details.bare["rows read"]).toBeGreaterThan(2_000)
    expect(history.details.ours["of entries"]).toBeGreaterThanOrEqual(2_000)
    expect(history.details.ours["of entries"]).toBeLessThan(20_000)
    expect(history.details.ours["first entry ms"]).toBeLessThanOrEqual(history.ours)
    expect(storm).toMatchObject({ name: "storm/postgres/100-back", ours: expect.any(Number), skipped: [] })
    expect(storm.details.ours).toMatchObject({ "failed attempts": 0, "peak minus idle MiB": expect.any(Number) })
    expect(storm.details.ours["of entries"]).toBeGreaterThanOrEqual(1_000)
  }, 120_000)
})

it("tells how late subscribers get what is written now and then", async () => {
  const { stdout } = await bench("--quick", "--seconds", "1", "--json", "--only", "delivery")
  const [{ better, details, limit, name, ours }] = JSON.parse(stdout).results
  expect([name, better]).toEqual(["delivery/100-at-10", "less"])
  expect([ours, limit]).toEqual([details.ours["p99 ms"], details.limit["p99 ms"]])
  expect(ours).toBeGreaterThan(0)
}, 120_000)

it("says what it doesn't know, even beside what it does", async () => {
  const only = ["--only", "micro", "--only", "nothing", "--only", "ingest/nothing"]
  const { code, stderr } = await bench(...only).catch((error) => error)
  expect(code).toBe(2)
  expect(stderr).toMatch(/^Nothing begins with nothing\nNothing begins with ingest\/nothing\nThere is:\n/)
  expect(stderr).toContain("\n  nodes/postgres/delivery\n")
})
