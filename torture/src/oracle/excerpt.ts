import type { Recorded, Violation } from "./history.ts"

const idsOf = (happening: Recorded): ReadonlyArray<string> => {
  switch (happening.kind) {
    case "made":
      return [happening.entry.id, happening.device]
    case "sent":
      return [...happening.ids, happening.request]
    case "acked":
    case "refused":
      return [happening.request]
    case "subscribed":
      return [happening.subscription]
    case "delivered":
      return [happening.subscription, ...happening.entries.map(({ entry }) => entry.id)]
    case "kept":
      return [happening.device, ...happening.entries.map(({ entry }) => entry.id)]
    case "ordered":
    case "authored":
      return [happening.digest]
    case "handled":
    case "flunked":
    case "retried":
    case "discarded":
    case "failed":
      return [happening.id]
    case "reset":
    case "measured":
    case "died":
      return [happening.run]
    case "fault":
      return []
  }
}

/** Requests that carried one of the ids: their answers belong to the story too. */
const requestsAbout = (history: ReadonlyArray<Recorded>, about: ReadonlySet<string>): ReadonlyArray<string> =>
  history.flatMap((happening) =>
    happening.kind === "sent" && happening.ids.some((id) => about.has(id)) ? [happening.request] : []
  )

const shown = (about: ReadonlySet<string>, key: string, value: unknown): unknown => {
  if (key === "at" || key === "kind") return undefined
  if (!Array.isArray(value) || value.length <= 8) return value
  const told = value.filter((item) => about.has(item) || about.has(item?.entry?.id))
  return [...told.slice(0, 8), `… of ${value.length}`]
}

const lineOf = (about: ReadonlySet<string>, happening: Recorded): string => {
  const details = JSON.stringify(happening, (key, value) => shown(about, key, value))
  return `${String(Math.round(happening.at)).padStart(8)} ms  ${happening.kind.padEnd(10)} ${details}`
}

/**
 * The happenings that tell how a violation came about, as lines: those about the same entries, requests and
 * subscriptions, with the faults between the first and the last of them.
 *
 * @param most lines at most; of more, the first and the last ones
 */
export const excerpt = (history: ReadonlyArray<Recorded>, violation: Violation, most = 40): ReadonlyArray<string> => {
  const named = new Set(violation.about)
  const about = new Set([...named, ...requestsAbout(history, named)])
  const isAbout = (happening: Recorded): boolean => idsOf(happening).some((id) => about.has(id))
  const first = history.findIndex(isAbout)
  const last = history.findLastIndex(isAbout)
  const lines = history
    .filter((happening, index) => isAbout(happening) || (happening.kind === "fault" && index >= first && index <= last))
    .map((happening) => lineOf(named, happening))
  if (lines.length <= most) return lines
  const half = Math.floor(most / 2)
  return [...lines.slice(0, half), `  … ${lines.length - 2 * half} more …`, ...lines.slice(-half)]
}
