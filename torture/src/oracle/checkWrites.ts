import type { Check, Evidence, Of, Violation } from "./history.ts"
import { allOf, feedOf, storesOf } from "./select.ts"

/** Where each id stands in a store. */
const placesOf = (evidence: Evidence) => {
  const places = new Map<string, ReadonlyMap<string, number>>()
  return (store: string | undefined): ReadonlyMap<string, number> => {
    const key = store ?? ""
    const known = places.get(key)
    if (known !== undefined) return known
    const made = new Map(feedOf(evidence, store).map(({ entry, sequence }) => [entry.id, sequence]))
    places.set(key, made)
    return made
  }
}

const requestsOf = (evidence: Evidence) => new Map(allOf(evidence, "sent").map((sent) => [sent.request, sent]))

/** Each acked entry is stored, at the sequence that was acked where one was told. */
export const checkAcks: Check = (evidence) => {
  const requests = requestsOf(evidence)
  const stores = storesOf(evidence)
  const placesIn = placesOf(evidence)
  return allOf(evidence, "acked").flatMap(({ device, request, sequences }): ReadonlyArray<Violation> => {
    const sent = requests.get(request)
    if (sent === undefined || sent.device !== device) {
      return [{ rule: "acks", message: `${device} got an ack of ${request}, which it did not send`, about: [request] }]
    }
    if (sequences !== undefined && sequences.length !== sent.ids.length) {
      const message = `The ack of ${request} has ${sequences.length} sequences for ${sent.ids.length} entries`
      return [{ rule: "acks", message, about: [request] }]
    }
    const store = stores.get(device)
    const places = placesIn(store)
    return sent.ids.flatMap((id, index) => {
      const place = places.get(id)
      const told = sequences === undefined ? place : sequences[index]
      if (place !== undefined && place === told) return []
      const found = place === undefined ? `is not in store ${store}` : `stands at ${place}`
      const acked = told === undefined ? "was acked" : `was acked at ${told}`
      return [{ rule: "acks", message: `Entry ${id} ${acked} but ${found}`, about: [id, request] }]
    })
  })
}

/** A request is stored whole or not at all. What is there of one that is not whole must have come with another one. */
export const checkWholeRequests: Check = (evidence) => {
  const stores = storesOf(evidence)
  const placesIn = placesOf(evidence)
  const requests = allOf(evidence, "sent")
  const isWhole = ({ device, ids }: Of<"sent">): boolean => {
    const places = placesIn(stores.get(device))
    return ids.every((id) => places.has(id))
  }
  const broughtWhole = new Set(requests.filter(isWhole).flatMap(({ ids }) => ids))
  return requests.flatMap(({ device, ids, mayBeParted, request }) => {
    if (mayBeParted === true) return []
    const places = placesIn(stores.get(device))
    const halves = ids.filter((id) => places.has(id) && !broughtWhole.has(id))
    if (halves.length === 0) return []
    const message = `Of the ${ids.length} entries of ${request} only ${halves.length} are stored`
    return [{ rule: "whole requests", message, about: [request, ...halves] }]
  })
}

/** The final refusals of requests that were refused: nothing of them may be stored, unless another request brought it. */
export const checkRefusals: Check = (evidence) => {
  const requests = requestsOf(evidence)
  const refused = allOf(evidence, "refused").filter(({ reason }) => forGood.has(reason))
  const refusedRequests = new Set(refused.map(({ request }) => request))
  const stores = storesOf(evidence)
  const placesIn = placesOf(evidence)
  const otherwise = new Set(
    allOf(evidence, "sent").flatMap(({ ids, request }) => (refusedRequests.has(request) ? [] : ids))
  )
  return refused.flatMap(({ device, reason, request }) =>
    (requests.get(request)?.ids ?? [])
      .filter((id) => placesIn(stores.get(device)).has(id) && !otherwise.has(id))
      .map((id) => ({
        rule: "refusals",
        message: `Entry ${id} is stored, though ${request} was refused: ${reason}`,
        about: [id, request]
      }))
  )
}

/** A device that keeps to the rules is never refused for good, whatever others do whose writes share a commit with its own. */
export const checkInnocence: Check = (evidence) => {
  const innocent = new Set(
    evidence.outcome.devices.filter(({ mustConverge }) => mustConverge).map(({ device }) => device)
  )
  const broken = allOf(evidence, "fault").filter(({ refuses }) => refuses === true)
  const isExcused = ({ at, reason }: Of<"refused">): boolean =>
    reason === "Internal" && broken.some((fault) => fault.at <= at && at <= fault.at + evidence.rules.excuseMillis)
  return allOf(evidence, "refused")
    .filter((refused) => innocent.has(refused.device) && neverForInnocents.has(refused.reason) && !isExcused(refused))
    .map(({ device, reason, request }) => ({
      rule: "refusals",
      message: `${request} of ${device}, which did nothing wrong, was refused: ${reason}`,
      about: [request]
    }))
}

/** Refusals that say that a request itself is wrong, or that the server is. */
const neverForInnocents: ReadonlySet<string> = new Set([
  "BadProof",
  "Refused",
  "Malformed",
  "InvalidRequest",
  "Limit",
  "BadEntry",
  "ClockSkew",
  "Internal"
])

/** Refusals after which nothing of the request is in any store. An outage may hide a commit; these can't. */
const forGood: ReadonlySet<string> = new Set([
  "NotProved",
  "BadProof",
  "Refused",
  "NotMapped",
  "Malformed",
  "InvalidRequest",
  "Limit",
  "BadEntry",
  "ClockSkew",
  "RateLimited"
])
