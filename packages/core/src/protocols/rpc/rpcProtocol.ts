import type { RpcSerialization } from "effect/rpc"
import type { Protocol, ProtocolServices } from "../../connection/protocol.ts"
import { rpcLimits } from "./limits.ts"
import { makePageEncoder } from "./pageEncoder.ts"
import { RpcConversation } from "./RpcConversation.ts"
import { Wire } from "./wire.ts"

/**
 * The RPC of effect's own event log client (`EventLogRemote.layerUnencrypted`).
 *
 * effect's `RpcServer` is not used: it begins every call at once and on a fiber of its own, and it encodes the same
 * entries again for every subscriber.
 *
 * @param serialization effect's SchemaBinary
 */
export const rpcProtocol =
  (serialization: RpcSerialization.RpcSerialization["Service"]) =>
  (services: ProtocolServices): Protocol => {
    const limits = rpcLimits(services.limits)
    const wire = new Wire(serialization, limits)
    const rpcServices = { ...services, limits, wire, encodePage: makePageEncoder(wire, services.onEncoded) }
    return {
      limits,
      converse: (peer) => new RpcConversation(rpcServices, peer),
      shrink: (frame) => wire.shrink(frame)
    }
  }
