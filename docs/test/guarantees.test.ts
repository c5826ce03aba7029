import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { describe, expect, it } from "vitest"

const root = resolve(import.meta.dirname, "../..")
const page = readFileSync(resolve(root, "docs/guarantees.md"), "utf8")

/** The tests that the page names, as `path: title`. */
const named = [...page.matchAll(/^- `([^`]+)`: (.+)$/gm)].map(([, path = "", title = ""]) => ({ path, title }))

describe("docs/guarantees.md", () => {
  it("names tests under each of its fourteen promises", () => {
    const sections = page.split(/^## /m).slice(1)
    expect(sections).toHaveLength(14)
    for (const section of sections) expect(section).toMatch(/^- `packages\//m)
  })

  it.each(named)("names a test that exists: $path $title", ({ path, title }) => {
    expect(readFileSync(resolve(root, path), "utf8")).toContain(title)
  })
})
