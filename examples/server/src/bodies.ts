import { Schema } from "effect"
import { HttpError } from "./reply.ts"

const fromJson = <S extends Schema.Codec<unknown, unknown>>(schema: S) => {
  const decode = Schema.decodeUnknownSync(Schema.fromJsonString(schema))
  return (body: string): S["Type"] => {
    try {
      return decode(body)
    } catch (error) {
      throw new HttpError(400, (error as Error).message)
    }
  }
}

/** Reads `{ event, payload, runHandlers? }`. The server itself checks the event and its payload. */
export const readWriteBody = fromJson(
  Schema.Struct({ event: Schema.String, payload: Schema.Unknown, runHandlers: Schema.optionalKey(Schema.Boolean) })
)

/** Reads `{ storeId }`. */
export const readKeyBody = fromJson(Schema.Struct({ storeId: Schema.String }))
