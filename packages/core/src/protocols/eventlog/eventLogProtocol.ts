import type { Protocol, ProtocolServices } from "../../connection/protocol.ts"
import type { PageEncoder } from "../../feed/page.ts"
import { requestBounds } from "../../wire/codec.ts"
import { announcedLimits } from "../../wire/limits.ts"
import { type EncodedEntries, encodeRemoteEntries } from "../../wire/remoteEntries.ts"
import { EventLogConversation } from "./EventLogConversation.ts"

/** Our own protocol, as `docs/wire-protocol.md` describes it. */
export const eventLogProtocol = (services: ProtocolServices): Protocol => {
  const encodeEntries: PageEncoder<EncodedEntries> = (entries) => {
    services.onEncoded(entries.length)
    return encodeRemoteEntries(entries)
  }
  const { limits } = services
  const shared = { ...services, encodeEntries, announced: announcedLimits(limits), bounds: requestBounds(limits) }
  return { limits, converse: (peer) => new EventLogConversation(shared, peer) }
}
