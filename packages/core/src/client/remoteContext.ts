import type { Settings } from "./options.ts"
import type { PendingWrites } from "./pendingWrites.ts"
import type { Prover } from "./prover.ts"
import type { RemoteLink } from "./remoteLink.ts"
import type { StatusStore } from "./status.ts"

/** What a remote's operations work with. */
export interface RemoteContext {
  readonly link: RemoteLink
  readonly prover: Prover
  readonly settings: Settings
  readonly status: StatusStore
  readonly pending: PendingWrites
}
