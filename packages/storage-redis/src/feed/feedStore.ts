import type { FeedStore } from "@eventlog-server/core"
import { attempt, attemptOn } from "../errors.ts"
import type { RedisNode } from "../node.ts"
import { wakeupsOf } from "../wakeups/stream.ts"
import { append } from "./append.ts"
import { bucket, bucketBounds } from "./bucket.ts"
import { greatestId } from "./greatestId.ts"
import { noticingLoss } from "./history.ts"
import { read } from "./read.ts"

/** A `FeedStore` on Redis Streams. */
export const makeFeedStore = (node: RedisNode): FeedStore["Service"] => ({
  id: attempt("FeedStore.id", () => node.identity.read()),
  append: (storeId, records) =>
    attemptOn("FeedStore.append", storeId, () => append(node, storeId, records)).pipe(noticingLoss(node, storeId)),
  read: (storeId, from, limits) =>
    attemptOn("FeedStore.read", storeId, () => read(node, storeId, from, limits)).pipe(noticingLoss(node, storeId)),
  bucket: (storeId, ranges, selection) => attempt("FeedStore.bucket", () => bucket(node, storeId, ranges, selection)),
  bucketBounds: (storeId, ranges) => attempt("FeedStore.bucketBounds", () => bucketBounds(node, storeId, ranges)),
  greatestId: (storeId) => attempt("FeedStore.greatestId", () => greatestId(node, storeId)),
  wakeups: (storeId) => wakeupsOf(node.wakeups, node.keys.channel(storeId))
})
