import type { Limits } from "../../wire/limits.ts"

/**
 * The limits of a connection that speaks RPC. A stock client sends everything that it has in one write, so what is put
 * together from chunks may be more; its frames stay below `maxFrameBytes`, since it cuts at 512,000 bytes.
 */
export const rpcLimits = (limits: Limits): Limits => ({
  ...limits,
  maxMessageBytes: limits.maxRpcMessageBytes,
  maxBatchEntries: limits.maxRpcBatchEntries,
  // A write that was put together waits for its commit beside the frames that come meanwhile.
  maxInboundBytes: limits.maxInboundBytes + limits.maxRpcMessageBytes
})

/**
 * Frames that a peer may have unhandled before it has proved a key. After a reconnect a stock client doesn't know yet that
 * it has to prove itself again: it sends its subscription and the first four chunks of what it has to write.
 */
export const unprovedFrames = 5
