import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { expect, it } from "vitest"

const fileOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** Runs the bench on the sources, so that nothing has to be built before. */
const bench = (...args: ReadonlyArray<string>) =>
  promisify(execFile)(process.execPath, [
    ...["--import", fileOf("docs/test/resolveSources.ts"), fileOf("bench/src/main.ts")],
    ...["--server", fileOf("examples/server/src/main.ts"), ...args]
  ])

it("prints one JSON object with every result's figures and ratios", async () => {
  const only = ["--only", "ingest/memory", "--only", "micro/processing"]
  const { stdout } = await bench("--quick", "--seconds", "0.2", "--json", ...only)
  const [ingest, processing] = JSON.parse(stdout).results
  const { limit, ours, peer } = ingest
  expect(Math.min(ours, peer, limit)).toBeGreaterThan(0)
  expect(ingest).toMatchObject({
    ...{ name: "ingest/memory/64x1", unit: "entries/s", skipped: [] },
    ...{ ratioToPeer: ours / peer, ratioToLimit: ours / limit }
  })
  expect(processing).toMatchObject({
    ...{ name: "micro/processing", ours: expect.any(Number), skipped: [] },
    ...{ peer: null, limit: null, ratioToPeer: null, ratioToLimit: null }
  })
}, 120_000)

it("says what it doesn't know", async () => {
  await expect(bench("--only", "nothing")).rejects.toMatchObject({ code: 2, stderr: "Nothing begins with nothing\n" })
})
