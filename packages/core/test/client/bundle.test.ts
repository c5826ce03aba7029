import { gzipSync } from "node:zlib"
import { bundle } from "@eventlog-server/testkit/browser"
import { expect, it } from "vitest"

/** Bytes beyond effect's own event log, compressed, that a page of an app may load for ours. */
const budget = 60_000

const weightOf = async (page: string): Promise<number> =>
  gzipSync(await bundle(new URL(page, import.meta.url), { minify: true }), { level: 9 }).byteLength

it("a page loads little more than effect's own event log", async () => {
  const [effects, ours] = [await weightOf("bundle/effectPage.ts"), await weightOf("bundle/ourPage.ts")]
  expect(ours - effects).toBeLessThan(budget)
  // A page that loads nothing of it would pass, too.
  expect(ours - effects).toBeGreaterThan(budget / 4)
})
