import type { FeedStore } from "@eventlog-server/core/backend"
import { attempt, orErased, orLost } from "../errors.ts"
import type { RedisNode } from "../node.ts"
import { append } from "./append.ts"
import { bucket, bucketBounds } from "./bucket.ts"
import { head } from "./head.ts"
import { read } from "./read.ts"
import { survivors } from "./survivors.ts"

/** A `FeedStore` on Redis Streams. */
export const makeFeedStore = (node: RedisNode): FeedStore["Service"] => ({
  append: (storeId, records, known) =>
    attempt("FeedStore.append", () => append(node, storeId, records, known)).pipe(orErased(storeId), orLost(storeId)),
  read: (storeId, from, limits, known) =>
    attempt("FeedStore.read", () => read(node, storeId, { from, limits, known })).pipe(
      orErased(storeId),
      orLost(storeId)
    ),
  head: (storeId) => attempt("FeedStore.head", () => head(node, storeId)).pipe(orErased(storeId)),
  bucket: (storeId, ranges, selection) => attempt("FeedStore.bucket", () => bucket(node, storeId, ranges, selection)),
  bucketBounds: (storeId, ranges) => attempt("FeedStore.bucketBounds", () => bucketBounds(node, storeId, ranges)),
  survivors: (storeId, request) => survivors(node, storeId, request),
  wakeups: (storeId) => node.wakeups.of(storeId)
})
