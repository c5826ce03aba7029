import { Effect } from "effect"
import { StoreId } from "../backend/StoreId.ts"
import { RequestError } from "../wire/errors.ts"

const maxCharacters = 255

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
          message: `A store id must have 1 to ${maxCharacters} characters, none of them U+0000 or a lone surrogate`
        })
      )
}
