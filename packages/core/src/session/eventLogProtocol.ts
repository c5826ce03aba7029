import type { PageEncoder } from "../feed/page.ts"
import { type EncodedEntries, encodeRemoteEntries } from "../protocol/remoteEntries.ts"
import type { ConversationServices, Protocol } from "./conversation.ts"
import { EventLogConversation } from "./eventLogConversation.ts"

/** Our own protocol, as `docs/wire-protocol.md` describes it. */
export const eventLogProtocol = (services: ConversationServices): Protocol => {
  const encodeEntries: PageEncoder<EncodedEntries> = (entries) => {
    services.onEncoded(entries.length)
    return encodeRemoteEntries(entries)
  }
  const shared = { ...services, encodeEntries }
  return { limits: services.limits, converse: (peer) => new EventLogConversation(shared, peer) }
}
