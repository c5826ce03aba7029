import { Context } from "effect"

/** What is known of the connection that a request came in on. */
export interface ConnectionDetails {
  /** Unique for the life of this process; for logs. */
  readonly id: string
  /** The peer's address as the socket reports it. Proxy headers are not trusted. */
  readonly remoteAddress: string | undefined
  /** The headers of the upgrade request, names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** What the adapter's `authenticate` returned; `undefined` without it. */
  readonly principal: unknown
}

/**
 * The connection whose request is being authorized. `EventLogServerAuth` and `enroll` may read it; outside of a
 * connection (`ingestClient`, `requestChanges`) it is `undefined`.
 */
export class CurrentConnection extends Context.Reference<ConnectionDetails | undefined>(
  "@eventlog-server/core/CurrentConnection",
  { defaultValue: () => undefined }
) {}
