import type { FeedEntry, PageLimits } from "../backend/FeedStore.ts"
import { Page } from "../feed/page.ts"
import { entryBytes } from "../wire/fields.ts"

/** Puts entries together into pages within limits. */
export class PageBuilder {
  private readonly limits: PageLimits
  private entries: Array<FeedEntry> = []
  private bytes = 0

  constructor(limits: PageLimits) {
    this.limits = limits
  }

  /** Adds entries that must stay in one page, and answers the page that had no room for them, if one had not. */
  add(entries: ReadonlyArray<FeedEntry>): Page | undefined {
    const bytes = bytesOf(entries)
    const full = this.fits(entries.length, bytes) ? undefined : this.finish()
    this.entries.push(...entries)
    this.bytes += bytes
    return full
  }

  /** The page so far, if it holds anything; the next one begins. */
  finish(): Page | undefined {
    if (this.entries.length === 0) return undefined
    const page = new Page(this.entries)
    this.entries = []
    this.bytes = 0
    return page
  }

  private fits(count: number, bytes: number): boolean {
    if (this.entries.length === 0) return true
    return this.entries.length + count <= this.limits.maxEntries && this.bytes + bytes <= this.limits.maxBytes
  }
}

/** Cuts entries into runs that each fit a page; a run has at least one. */
export const cutRuns = (entries: ReadonlyArray<FeedEntry>, limits: PageLimits): Array<ReadonlyArray<FeedEntry>> => {
  const runs: Array<Array<FeedEntry>> = []
  let run: Array<FeedEntry> = []
  let bytes = 0
  for (const entry of entries) {
    const size = entryBytes(entry.entry)
    if (run.length > 0 && (run.length >= limits.maxEntries || bytes + size > limits.maxBytes)) {
      runs.push(run)
      run = []
      bytes = 0
    }
    run.push(entry)
    bytes += size
  }
  if (run.length > 0) runs.push(run)
  return runs
}

const bytesOf = (entries: ReadonlyArray<FeedEntry>): number =>
  entries.reduce((sum, { entry }) => sum + entryBytes(entry), 0)
