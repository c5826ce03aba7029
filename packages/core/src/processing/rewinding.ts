import { Data, Effect } from "effect"
import { CurrentTransaction } from "../backend/CurrentTransaction.ts"
import type { StorageError } from "../backend/StorageError.ts"
import type { StoreId } from "../backend/StoreId.ts"
import type { Contain, Lease, LeaseLostError } from "../backend/StoreProgress.ts"
import { callPlain } from "../containment/plainFunction.ts"
import type { ResolvedProcessingOptions } from "./options.ts"

/** What the app did to make room for what handlers are to make again failed. */
export class ResetError extends Data.TaggedError("ResetError")<{
  readonly storeId: StoreId
  readonly cause: unknown
}> {
  override get message(): string {
    return `onReset failed for store "${this.storeId}": ${String(this.cause)}`
  }
}

/** Rewinds a store's cursor to where it is wanted, after the app has emptied what handlers made of the entries behind it. */
export const rewind = (
  lease: Lease,
  storeId: StoreId,
  { handlerTimeout, onReset }: Pick<ResolvedProcessingOptions, "handlerTimeout" | "onReset">
): Effect.Effect<void, ResetError | LeaseLostError | StorageError> => {
  const from = (lease.rewindTo ?? 0) + 1
  const reset = Effect.flatMap(CurrentTransaction, (transaction) =>
    callPlain(() => onReset({ storeId, from, transaction: transaction as never }))
  ).pipe(Effect.timeout(handlerTimeout))
  return lease.rewind((contain: Contain<StorageError>) =>
    Effect.flatMap(contain(reset), (exit) =>
      exit._tag === "Success" ? Effect.void : Effect.fail(new ResetError({ storeId, cause: exit.cause }))
    )
  )
}
