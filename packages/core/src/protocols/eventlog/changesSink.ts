import type { ActiveSubscription } from "../../connection/subscriptions.ts"
import type { PageEncoder } from "../../feed/page.ts"
import type { Sink } from "../../feed/sink.ts"
import { changesMessage, changesPrefix } from "../../wire/changes.ts"
import type { EncodedEntries } from "../../wire/remoteEntries.ts"
import type { Outbound } from "./outbound.ts"

/** What every message of our own protocol about a subscription carries. */
export const tagsOf = ({ id, publicKey }: ActiveSubscription): { readonly publicKey: string; readonly id?: number } =>
  typeof id === "number" ? { publicKey, id } : { publicKey }

/** Says that a subscription stands, and answers with the way of its entries: they go out in `Changes`. */
export const beginChanges = (
  outbound: Outbound,
  encodeEntries: PageEncoder<EncodedEntries>,
  subscription: ActiveSubscription,
  head: number
): Sink => {
  outbound.send({ _tag: "Subscribed", ...tagsOf(subscription), head })
  const prefix = changesPrefix(tagsOf(subscription))
  return {
    deliver: (page, from) => outbound.sendEncoded(changesMessage(prefix, page.encoded(encodeEntries), from)),
    ready: outbound.ready,
    drained: outbound.drained,
    caughtUp: (head) => outbound.send({ _tag: "CaughtUp", ...tagsOf(subscription), head })
  }
}
