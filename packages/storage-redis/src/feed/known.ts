import type { KnownEntry } from "@eventlog-server/core/backend"
import type { Argument } from "../client.ts"

/**
 * Tells a script which entry must be where it was, and in which history. The bytes are copies, since what waits for a
 * connection is sent later.
 */
export const knownArguments = (known: KnownEntry | undefined): ReadonlyArray<Argument> =>
  known === undefined ? ["", "", ""] : [known.sequence, Buffer.from(known.id), Buffer.from(known.remoteId ?? [])]
