import { natural, optional, type TypeOf } from "./fields.ts"

/**
 * Every bound of the protocol and the server, in one place. Each is an option of the server; the defaults stand here.
 *
 * Those that a client must know are announced in `Hello` (`AnnouncedLimits`).
 */
export interface Limits {
  /** Bytes of one websocket frame; a bigger one closes the connection with 1009. @default 1 MiB */
  readonly maxFrameBytes: number
  /** Bytes of one message, put together from its chunks. @default 16 MiB */
  readonly maxMessageBytes: number
  /** Chunked messages that one side may have begun and not finished, per connection. @default 4 */
  readonly maxChunkedMessages: number
  /** Entries of one `WriteEntries`. @default 1_000 */
  readonly maxBatchEntries: number
  /** Bytes of one entry: payload, event name and primary key together. @default 4 MiB */
  readonly maxEntryBytes: number
  /** UTF-8 bytes of an event name. @default 255 */
  readonly maxEventBytes: number
  /** UTF-8 bytes of a primary key. @default 4_096 */
  readonly maxPrimaryKeyBytes: number
  /** UTF-8 bytes of a public key. @default 512 */
  readonly maxPublicKeyBytes: number
  /** How far an entry's id may be ahead of the server's clock, in milliseconds. @default 24 hours */
  readonly maxClockSkewMillis: number
  /** Write requests of one connection that were not answered yet. @default 64 */
  readonly maxPendingWrites: number
  /**
   * What one connection may have received and not yet answered, in bytes, with what its objects cost (512 an entry, 256 a
   * frame). Where the runtime can, reading is paused before that; elsewhere going beyond closes with 1008. @default 32 MiB
   */
  readonly maxInboundBytes: number
  /**
   * Frames received and not yet handled, per connection. Where the runtime can, reading is paused; elsewhere going beyond
   * closes with 1008. @default 1_024
   */
  readonly maxInboundFrames: number
  /** Bytes of a frame on a connection that has proved no key yet; beyond it closes with 1009. @default 16 KiB */
  readonly maxUnprovedFrameBytes: number
  /** Bytes in, and bytes out, that a connection may make the server hold before it proved a key. @default 64 KiB */
  readonly maxUnprovedBytes: number
  /** Frames that a connection may have unhandled before it proved a key. @default 8 */
  readonly maxUnprovedFrames: number
  /**
   * Connections of this process that have proved no key. One more waits before its upgrade, until one of them proved its
   * key or left; who begins no proof for two seconds while others wait is closed with 1013. What is opened without the
   * adapter's `admit` closes the oldest of them. @default 1_000
   */
  readonly maxUnprovedConnections: number
  /** Bytes queued to one peer above which its subscriptions leave the live tail until it drained. @default 1 MiB */
  readonly outboundHighWaterBytes: number
  /** Bytes queued to one peer above which the connection is closed with 1008: it doesn't read. @default 32 MiB */
  readonly maxOutboundBytes: number
  /** Keys that one connection may prove. @default 16 */
  readonly maxKeys: number
  /** Failed proofs after which a connection is closed with 1008. @default 5 */
  readonly maxFailedProofs: number
  /** Subscriptions of one connection, one per proved key. @default 16 */
  readonly maxSubscriptions: number
  /**
   * Connections of this process, those that are closing included; beyond it they are refused with 503, or closed with
   * 1013. @default 20_000
   */
  readonly maxConnections: number
  /**
   * Connections from one remote address; beyond it they are refused with 429, or closed with 1013. Behind a proxy all have
   * the address of the proxy, unless the app's framework was told to trust it. @default as many as `maxConnections`
   */
  readonly maxConnectionsPerAddress: number
  /**
   * What this process may hold for all of its peers together, both ways, in bytes with what the objects cost. Above three
   * quarters of it the greediest connections stop being read; above all of it they are closed. @default 512 MiB
   */
  readonly maxHeldBytes: number
  /** UTF-8 bytes of a name, id or tag that has no limit of its own. @default 64 */
  readonly maxNameBytes: number
  /** Requests a second of one connection, as a token bucket that holds two seconds' worth. @default 5_000 */
  readonly maxRequestsPerSecond: number
  /** Bytes waiting to be appended to one store; beyond it writes are refused for now. @default 64 MiB */
  readonly maxPendingStoreBytes: number
  /** Records of one append. @default 2_000 */
  readonly maxAppendEntries: number
  /** Bytes of one append, unless a single request is bigger. @default 8 MiB */
  readonly maxAppendBytes: number
  /** Entries of one page of a feed, and so of one `Changes`. @default 512 */
  readonly maxPageEntries: number
  /** Bytes of one page of a feed, unless a single entry is bigger. @default 256 KiB */
  readonly maxPageBytes: number
  /** Conflicts that an entry may have. With more its handler isn't run: it fails as `TooManyConflicts`. @default 10_000 */
  readonly maxConflicts: number
  /**
   * Bytes of the conflicts that an entry may have, and of those that are looked up and held at the same time for a page of
   * one store: a page with more is handled in parts, and an entry with more fails as `TooManyConflicts`. @default 8 MiB
   */
  readonly maxConflictBytes: number
  /**
   * What stores whose handlers are slow may keep of their pages meanwhile, all together, in bytes with what the objects
   * cost (512 an entry). Beyond it a store reads its page again when its handler is done. @default 64 MiB
   */
  readonly maxPausedBytes: number
  /** Entries of one bucket (a compaction group and primary key); one with more is compacted in steps. @default 10_000 */
  readonly maxBucketEntries: number
  /** Bytes of one bucket; one with more is compacted in steps. @default 16 MiB */
  readonly maxBucketBytes: number
  /**
   * Entries of one write of an effect client, which sends all that it has in one. More than `maxAppendEntries` are
   * committed in several appends. @default 100_000
   */
  readonly maxRpcBatchEntries: number
  /** Bytes of one write of an effect client, and of one bucket that it is sent. @default 32 MiB */
  readonly maxRpcMessageBytes: number
}

/**
 * The limits that a client must know, in the order in which `Hello` announces them. Those that came later are optional: a
 * server of before doesn't announce them.
 */
export const announcedFields = {
  maxFrameBytes: natural,
  maxMessageBytes: natural,
  maxChunkedMessages: natural,
  maxBatchEntries: natural,
  maxEntryBytes: natural,
  maxEventBytes: natural,
  maxPrimaryKeyBytes: natural,
  maxClockSkewMillis: natural,
  maxPendingWrites: natural,
  maxInboundBytes: natural,
  maxSubscriptions: natural,
  maxInboundFrames: optional(natural),
  maxKeys: optional(natural)
}

/** The limits that `Hello` announces. */
export type AnnouncedLimits = TypeOf<typeof announcedFields>

/** What an entry, and what a frame or call, counts besides its bytes: objects, strings and their places in queues. */
export const entryCost = 512
export const frameCost = 256

const KiB = 1024
const MiB = 1024 * KiB

/** The default of every limit. */
export const defaultLimits: Limits = {
  maxFrameBytes: MiB,
  maxMessageBytes: 16 * MiB,
  maxChunkedMessages: 4,
  maxBatchEntries: 1_000,
  maxEntryBytes: 4 * MiB,
  maxEventBytes: 255,
  maxPrimaryKeyBytes: 4_096,
  maxPublicKeyBytes: 512,
  maxClockSkewMillis: 24 * 60 * 60 * 1000,
  maxPendingWrites: 64,
  maxInboundBytes: 32 * MiB,
  maxInboundFrames: 1_024,
  maxUnprovedFrameBytes: 16 * KiB,
  maxUnprovedBytes: 64 * KiB,
  maxUnprovedFrames: 8,
  maxUnprovedConnections: 1_000,
  outboundHighWaterBytes: MiB,
  maxOutboundBytes: 32 * MiB,
  maxKeys: 16,
  maxFailedProofs: 5,
  maxSubscriptions: 16,
  maxConnections: 20_000,
  maxConnectionsPerAddress: 20_000,
  maxHeldBytes: 512 * MiB,
  maxNameBytes: 64,
  maxRequestsPerSecond: 5_000,
  maxPendingStoreBytes: 64 * MiB,
  maxAppendEntries: 2_000,
  maxAppendBytes: 8 * MiB,
  maxPageEntries: 512,
  maxPageBytes: 256 * KiB,
  maxConflicts: 10_000,
  maxConflictBytes: 8 * MiB,
  maxPausedBytes: 64 * MiB,
  maxBucketEntries: 10_000,
  maxBucketBytes: 16 * MiB,
  maxRpcBatchEntries: 100_000,
  maxRpcMessageBytes: 32 * MiB
}

/** The part of the limits that `Hello` announces. */
export const announcedLimits = (limits: Limits): Required<AnnouncedLimits> => {
  const names = Object.keys(announcedFields) as ReadonlyArray<keyof AnnouncedLimits>
  return Object.fromEntries(names.map((name) => [name, limits[name]])) as Required<AnnouncedLimits>
}
