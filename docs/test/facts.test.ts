import { existsSync, readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { pages, root } from "./snippets.ts"

const read = (file: string | URL): string => readFileSync(new URL(file, root), "utf8")

const sources = readdirSync(new URL("packages/core/src/", root), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => read(`packages/core/src/${name}`))
  .join("\n")

const namesIn = (text: string, pattern: RegExp): ReadonlyArray<string> =>
  [...text.matchAll(pattern)].map(([, name]) => name!)

describe("docs/getting-started.md", () => {
  const page = read("docs/getting-started.md")

  it("names metrics that exist", () => {
    const documented = namesIn(page, /^\| `(eventlog_\w+)`/gm)
    expect(documented.length).toBeGreaterThan(0)
    expect(namesIn(sources, /Metric\.\w+\("(\w+)"/g)).toEqual(expect.arrayContaining([...documented]))
  })

  it("names spans that exist", () => {
    const documented = namesIn(page, /^\| `(\w+\.\w+)`/gm)
    expect(documented.length).toBeGreaterThan(0)
    expect(namesIn(sources, /(?:Effect\.fn\(|withSpan\([^"]*)"(\w+\.\w+)"/g)).toEqual(
      expect.arrayContaining([...documented])
    )
  })
})

describe.each(pages)("%s", (page) => {
  const withoutCode = (text: string) => text.replaceAll(/^```.*?^```$/gms, "")

  /** The anchors of a page, as GitHub makes them of its headings. */
  const anchorsOf = (text: string) =>
    namesIn(withoutCode(text), /^#+ (.*)$/gm).map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-")
    )

  it("links to what exists", () => {
    const here = new URL(page, root)
    const broken = namesIn(withoutCode(read(page)), /\]\(([^)\s]+)\)/g).filter((link) => {
      if (/^https?:/.test(link)) return false
      const target = new URL(link, here)
      const anchor = target.hash.slice(1)
      target.hash = ""
      return !existsSync(target) || (anchor !== "" && !anchorsOf(read(target)).includes(anchor))
    })
    expect(broken).toEqual([])
  })
})
