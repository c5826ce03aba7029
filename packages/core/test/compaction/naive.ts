import type { CompactionGroup } from "../../src/backend/StoreProgress.ts"
import { type Deploy, type Entry, pageEntries } from "./world.ts"

type Numbered = { readonly entry: Entry; readonly sequence: number }
type Sent = readonly [sequence: number, id: string]

/** What a bucket's last eligible entry is sent as. */
const outputsOf = (eligible: ReadonlyArray<Numbered>, isCompacted: boolean, last: number): ReadonlyArray<Sent> => {
  const isSuperseded = (it: Numbered) =>
    eligible.some((other) => other.entry.event === it.entry.event && other.sequence > it.sequence)
  const outputs = isCompacted ? eligible.filter((it) => !isSuperseded(it)) : eligible
  const finalRun = Math.floor((outputs.length - 1) / pageEntries) * pageEntries
  return outputs.map(({ entry }, index) => [index >= finalRun ? last : last - 1, entry.idString])
}

/** The rules of compaction as a few loops over a history that is held as a whole: what `Projection` must agree with. */
export const naiveHistory = (options: {
  readonly feed: ReadonlyArray<Entry>
  readonly from: number
  readonly groups: ReadonlyArray<CompactionGroup>
  readonly deploy: Deploy
}): ReadonlyArray<Sent> => {
  const numbered = options.feed.map((entry, index) => ({ entry, sequence: index + 1 }))
  const eligibleWith = ({ entry }: Numbered, { cutoff, events }: CompactionGroup) => {
    const bucket = numbered.filter((it) => events.includes(it.entry.event) && it.entry.primaryKey === entry.primaryKey)
    const young = bucket.findIndex((it) => it.entry.createdAtMillis > cutoff)
    return young === -1 ? bucket : bucket.slice(0, young)
  }
  const isCovered = (group: CompactionGroup) =>
    options.deploy.some(({ events }) => group.events.every((event) => events.includes(event)))
  return numbered.slice(options.from - 1).flatMap((it): ReadonlyArray<Sent> => {
    const group = options.groups.find(({ events }) => events.includes(it.entry.event))
    // A device that begins was promised nothing that comes of a compactor which is gone.
    const isInForce = group !== undefined && (options.from > 1 || isCovered(group))
    const eligible = isInForce ? eligibleWith(it, group) : []
    if (group === undefined || !eligible.includes(it)) return [[it.sequence, it.entry.idString]]
    if (eligible[eligible.length - 1] !== it) return []
    return outputsOf(eligible, isCovered(group), it.sequence)
  })
}
