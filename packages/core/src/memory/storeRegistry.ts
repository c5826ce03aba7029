import { Effect, Layer } from "effect"
import { AccessListeners } from "../backend/AccessListeners.ts"
import {
  EventLogServerStoreRegistry,
  EventLogServerStoreRegistryError,
  type KeyMapping,
  type KeysQuery
} from "../backend/EventLogServerStoreRegistry.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { SortedKeys } from "./SortedKeys.ts"

interface StoredMapping extends KeyMapping {
  readonly removed: boolean
}

/** The mappings of a memory backend, removed ones included: a key may only ever return to its store. */
export interface RegistryState {
  readonly mappings: Map<string, StoredMapping>
  readonly publicKeys: SortedKeys<string>
  readonly byStore: Map<StoreId, SortedKeys<string>>
  readonly listeners: AccessListeners
}

export const makeRegistryState = (): RegistryState => ({
  mappings: new Map(),
  publicKeys: new SortedKeys(),
  byStore: new Map(),
  listeners: new AccessListeners()
})

const notMapped = (publicKey: string) => new EventLogServerStoreRegistryError({ reason: "NotMapped", publicKey })

const mappedTo = (state: RegistryState, publicKey: string): StoredMapping | undefined => {
  const mapping = state.mappings.get(publicKey)
  return mapping === undefined || mapping.removed ? undefined : mapping
}

const store = (state: RegistryState, mapping: StoredMapping): void => {
  const { publicKey, removed, storeId } = mapping
  state.mappings.set(publicKey, mapping)
  const ofStore = state.byStore.get(storeId) ?? new SortedKeys<string>()
  state.byStore.set(storeId, ofStore)
  for (const keys of [state.publicKeys, ofStore]) {
    if (removed) keys.delete(publicKey)
    else keys.add(publicKey)
  }
}

/** Stores what a key became that was mapped before, and tells who listens. */
const change = (state: RegistryState, mapping: StoredMapping): void => {
  store(state, mapping)
  state.listeners.tell({ publicKey: mapping.publicKey })
}

const isSame = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a?.length === b?.length && (a?.every((byte, index) => byte === b?.[index]) ?? true)

const handOut = ({ publicKey, storeId, signingPublicKey }: KeyMapping): KeyMapping => ({
  publicKey,
  storeId,
  signingPublicKey: signingPublicKey?.slice()
})

const list = (state: RegistryState, { after, limit, storeId }: KeysQuery): ReadonlyArray<KeyMapping> => {
  const page: Array<KeyMapping> = []
  const publicKeys = storeId === undefined ? state.publicKeys : state.byStore.get(storeId)
  for (const publicKey of publicKeys?.after(after) ?? []) {
    if (page.length >= limit) break
    const mapping = state.mappings.get(publicKey)
    if (mapping !== undefined) page.push(handOut(mapping))
  }
  return page
}

/** An `EventLogServerStoreRegistry` in memory. Nothing suspends, so every member is atomic. */
export const makeStoreRegistry = (state: RegistryState): EventLogServerStoreRegistry["Service"] => ({
  resolve: (publicKey) =>
    Effect.suspend(() => {
      const mapping = mappedTo(state, publicKey)
      return mapping === undefined ? Effect.fail(notMapped(publicKey)) : Effect.succeed(mapping.storeId)
    }),
  assign: ({ publicKey, storeId, signingPublicKey }) =>
    Effect.suspend(() => {
      const known = state.mappings.get(publicKey)
      if (known !== undefined && known.storeId !== storeId) {
        return Effect.fail(new EventLogServerStoreRegistryError({ reason: "AlreadyAssigned", publicKey, storeId }))
      }
      const bound = signingPublicKey?.slice() ?? known?.signingPublicKey
      const mapping = { publicKey, storeId, signingPublicKey: bound, removed: false }
      if (known === undefined) store(state, mapping)
      else if (known.removed || !isSame(known.signingPublicKey, bound)) change(state, mapping)
      return Effect.void
    }),
  enroll: ({ publicKey, storeId, signingPublicKey }) =>
    Effect.suspend(() => {
      const known = state.mappings.get(publicKey)
      if (known?.removed) return Effect.fail(notMapped(publicKey))
      const mapping = known ?? { publicKey, storeId, signingPublicKey: signingPublicKey.slice(), removed: false }
      if (known === undefined) store(state, mapping)
      return Effect.succeed(handOut(mapping))
    }),
  bind: ({ publicKey, signingPublicKey }) =>
    Effect.suspend(() => {
      const mapping = mappedTo(state, publicKey)
      if (mapping === undefined) return Effect.fail(notMapped(publicKey))
      if (mapping.signingPublicKey !== undefined) return Effect.succeed(mapping.signingPublicKey.slice())
      // Nobody can have been granted anything with another signing key, so there is nobody to be told.
      store(state, { ...mapping, signingPublicKey: signingPublicKey.slice() })
      return Effect.succeed(signingPublicKey.slice())
    }),
  remove: (publicKey) =>
    Effect.sync(() => {
      const mapping = mappedTo(state, publicKey)
      if (mapping !== undefined) change(state, { ...mapping, removed: true })
    }),
  list: (query) => Effect.sync(() => list(state, query)),
  changes: state.listeners.changes
})

/** A registry that lives as long as its layer: for tests and local development. Each build starts empty. */
export const layerStoreRegistryMemory: Layer.Layer<EventLogServerStoreRegistry> = Layer.sync(
  EventLogServerStoreRegistry,
  () => makeStoreRegistry(makeRegistryState())
)
