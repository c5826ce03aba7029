import type { Limits } from "../../wire/limits.ts"
import { entryCost } from "../../wire/limits.ts"

/**
 * The limits of a connection that speaks RPC. A stock client sends everything that it has in one write, so what is put
 * together from chunks may be more, and so may what waits for its commit beside the frames that come meanwhile; its frames
 * stay below `maxFrameBytes`, since it cuts at 512,000 bytes.
 */
export const rpcLimits = (limits: Limits): Limits => ({
  ...limits,
  maxMessageBytes: limits.maxRpcMessageBytes,
  maxBatchEntries: limits.maxRpcBatchEntries,
  maxInboundBytes: limits.maxInboundBytes + limits.maxRpcMessageBytes + limits.maxRpcBatchEntries * entryCost
})
