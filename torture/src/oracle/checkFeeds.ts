import type { Check, Evidence, Of, SeenEntry, StoredEntry, Violation } from "./history.ts"
import { allOf } from "./select.ts"

/** Every store numbers its entries 1, 2, 3 and so on, and holds each once. */
export const checkSequences: Check = ({ outcome }) =>
  Array.from(outcome.feeds).flatMap(([store, feed]) => {
    const violations: Array<Violation> = []
    const seen = new Map<string, number>()
    for (const [index, { entry, sequence }] of feed.entries()) {
      if (sequence !== index + 1) {
        violations.push({
          rule: "sequences",
          message: `Store ${store} has sequence ${sequence} in place ${index + 1}`,
          about: [entry.id]
        })
      }
      const first = seen.get(entry.id)
      if (first !== undefined) {
        violations.push({
          rule: "once",
          message: `Store ${store} holds entry ${entry.id} at ${first} and at ${sequence}`,
          about: [entry.id]
        })
      }
      seen.set(entry.id, sequence)
    }
    return violations
  })

const isSame = (a: SeenEntry, b: SeenEntry): boolean =>
  a.event === b.event && a.primaryKey === b.primaryKey && a.digest === b.digest

/** What devices made, with the key and the store of each. */
const makersOf = (evidence: Evidence) => {
  const devices = new Map(evidence.outcome.devices.map((device) => [device.device, device]))
  return new Map(
    allOf(evidence, "made").map(({ device, entry }) => [entry.id, { entry, maker: devices.get(device) }] as const)
  )
}

type Made = ReturnType<typeof makersOf> extends ReadonlyMap<string, infer Value> ? Value : never
type Order = Of<"ordered"> | undefined

const orderFlaw = (store: string, { transportOnly }: StoredEntry, order: Order): string | undefined => {
  if (order === undefined || order.store !== store) return "which nobody told the server to write"
  return order.transportOnly === transportOnly ? undefined : `but its transportOnly is ${transportOnly}`
}

const makerFlaw = (store: string, stored: StoredEntry, made: Made | undefined): string | undefined => {
  const { author, entry, transportOnly } = stored
  if (made?.maker === undefined) return "which no device made"
  const { device, publicKey, store: own } = made.maker
  if (own !== store) return `which ${device} made, whose store is ${own}`
  if (publicKey !== author) return `as written by ${author}, but ${device} made it`
  if (transportOnly) return "hidden from handlers, though a device made it"
  return isSame(made.entry, entry)
    ? undefined
    : `changed: ${JSON.stringify(made.entry)} became ${JSON.stringify(entry)}`
}

/** A store holds what its own devices made and what the server was told to write, unchanged, and nothing else. */
export const checkOrigins: Check = (evidence) => {
  const makers = makersOf(evidence)
  const orders = new Map(allOf(evidence, "ordered").map((order) => [order.digest, order]))
  return Array.from(evidence.outcome.feeds).flatMap(([store, feed]) =>
    feed.flatMap((stored) => {
      const { digest, id } = stored.entry
      const flaw =
        stored.author === null ? orderFlaw(store, stored, orders.get(digest)) : makerFlaw(store, stored, makers.get(id))
      return flaw === undefined
        ? []
        : [{ rule: "origins", message: `Store ${store} holds entry ${id}, ${flaw}`, about: [id] }]
    })
  )
}

/** What the server said it wrote is there, where it said; no order was carried out twice. */
export const checkServerWrites: Check = (evidence) => {
  const violations: Array<Violation> = []
  for (const [store, feed] of evidence.outcome.feeds) {
    const places = new Map<string, number>()
    for (const { author, entry, sequence } of feed) {
      if (author !== null) continue
      if (places.has(entry.digest)) {
        const message = `Store ${store} holds what the server wrote at ${places.get(entry.digest)} also at ${sequence}`
        violations.push({ rule: "once", message, about: [entry.digest] })
      }
      places.set(entry.digest, sequence)
    }
    for (const { digest, sequence, store: told } of allOf(evidence, "authored")) {
      if (told !== store || places.get(digest) === sequence) continue
      const message = `The server's entry of store ${store} was acked at ${sequence} and stands at ${places.get(digest)}`
      violations.push({ rule: "acks", message, about: [digest] })
    }
  }
  return violations
}
