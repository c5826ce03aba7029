import { Effect } from "effect"
import { StoreId } from "../backend/StoreId.ts"
import { shown } from "../options/shown.ts"
import { RequestError } from "../wire/errors.ts"

const maxCharacters = 255

/** Ids are in what the server is asked, so a wrong one may be long. */
const shownId = (storeId: unknown): string =>
  typeof storeId === "string" ? JSON.stringify(storeId.slice(0, 40)) : shown(storeId)

/** Checks a store id that comes from outside: 1 to 255 characters, no U+0000, no lone surrogate. */
export const checkStoreId = (storeId: string): Effect.Effect<StoreId, RequestError> => {
  const isValid =
    typeof storeId === "string" &&
    storeId.length > 0 &&
    storeId.length <= maxCharacters &&
    !storeId.includes("\u0000") &&
    storeId.isWellFormed()
  return isValid
    ? Effect.succeed(StoreId.make(storeId))
    : Effect.fail(
        new RequestError({
          reason: "Malformed",
          message: `A store id must have 1 to ${maxCharacters} characters, none of them U+0000 or a lone surrogate; it is ${shownId(storeId)}`
        })
      )
}
