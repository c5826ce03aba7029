import type { Backend } from "@eventlog-server/core"

/** A storage that another can take the place of. */
export interface ReplacedStorage {
  /** Another node's way to it. It is closed when the test is over. */
  readonly openBackend: () => Backend
  /** The other takes its place: a replica, or a backup. */
  readonly takeOver: () => Promise<void>
}

/** One whose replacement lacks the end of what was acked. */
export interface ForgetfulStorage extends ReplacedStorage {
  /** What is committed from now on, and acked, won't be there after the other took over. */
  readonly beginLosing: () => Promise<void>
}
