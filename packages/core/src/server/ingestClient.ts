import { Clock, Effect } from "effect"
import type { EventJournal } from "effect/eventlog"
import type { StoreId } from "../backend/StoreId.ts"
import type { Access, AccessError } from "../connection/access.ts"
import { checkEntries } from "../ingest/checkEntries.ts"
import type { Ingest } from "../ingest/ingest.ts"
import type { WriteError, Written } from "../ingest/write.ts"
import type { Limits } from "../wire/limits.ts"

/** A client's write, for callers that bring their own connection: checked, authorized, resolved, appended. */
export const ingestClient = (access: Access["Service"], ingest: Ingest["Service"], limits: Limits) =>
  Effect.fn("EventLogServer.ingestClient")(function* (options: {
    readonly publicKey: string
    readonly entries: ReadonlyArray<EventJournal.Entry>
  }): Effect.fn.Return<Written & { readonly storeId: StoreId }, AccessError | WriteError> {
    const { entries, publicKey } = options
    const flaw = checkEntries(entries, limits, yield* Clock.currentTimeMillis)
    if (flaw !== undefined) return yield* flaw
    const storeId = yield* access.write(publicKey, entries)
    const written = yield* Effect.callback<Written, WriteError>((resume) =>
      ingest.submit({ storeId, entries, author: publicKey, transportOnly: false }, resume)
    )
    return { ...written, storeId }
  })
