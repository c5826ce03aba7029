import type { PageEncoder } from "../feed/page.ts"
import type { Sink } from "../feed/sink.ts"
import { changesMessage, changesPrefix } from "../protocol/changes.ts"
import type { EncodedEntries } from "../protocol/remoteEntries.ts"
import type { Outbound } from "./outbound.ts"
import type { ActiveSubscription } from "./subscriptions.ts"

/** What every message of our own protocol about a subscription carries. */
export const tagsOf = ({ id, publicKey }: ActiveSubscription): { readonly publicKey: string; readonly id?: number } =>
  typeof id === "number" ? { publicKey, id } : { publicKey }

/** Sends the entries of a subscription in `Changes`. */
export const makeChangesSink = (
  outbound: Outbound,
  encodeEntries: PageEncoder<EncodedEntries>,
  subscription: ActiveSubscription
): Sink => {
  const prefix = changesPrefix(tagsOf(subscription))
  return {
    deliver: (page, from) => outbound.sendEncoded(changesMessage(prefix, page.encoded(encodeEntries), from)),
    ready: outbound.ready,
    drained: outbound.drained,
    caughtUp: (head) => outbound.send({ _tag: "CaughtUp", ...tagsOf(subscription), head })
  }
}
