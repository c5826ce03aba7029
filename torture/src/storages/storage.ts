/** Something that can be done to a storage. */
export interface StorageFault {
  readonly name: string
  /** How often, compared with other faults. */
  readonly weight: number
  /** Whether servers may lose leases, and so handle entries again. */
  readonly excuses: boolean
  /** Does it, and undoes it. @param force from 0 to 1 */
  readonly run: (force: number) => Promise<void>
}

/** A storage of its own for one run. */
export interface Storage {
  /** Where servers find it. */
  readonly address: string
  /** Whether what is stored outlives the server, and several servers can share it. */
  readonly isDurable: boolean
  /** Whether a server can be made to find it full. */
  readonly canBeFull?: boolean
  readonly faults: ReadonlyArray<StorageFault>
  readonly close: () => Promise<void>
}

/** How to start a storage of its own in a folder. */
export type OpenStorage = (folder: string) => Promise<Storage>
