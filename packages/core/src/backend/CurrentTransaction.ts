import { Context } from "effect"

/**
 * The backend's transaction that a handler runs in, where handlers share the cursor's transaction; `undefined` elsewhere.
 * A storage package offers it under its own type.
 */
export class CurrentTransaction extends Context.Reference<unknown>("@eventlog-server/core/CurrentTransaction", {
  defaultValue: () => undefined
}) {}
