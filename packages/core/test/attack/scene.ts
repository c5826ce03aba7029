import type { Device } from "@eventlog-server/testkit/devices"
import { type Todos, todoAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey, type SigningKey } from "@eventlog-server/testkit/signing"
import { expect } from "vitest"
import type { CreateEventLogServerOptions, EventLogServer } from "../../src/index.ts"
import { openDevice, readAll, startServer } from "../server/host.ts"

/** A victim that follows its store, and an attacker that proved a key of another store. */
export interface Scene {
  readonly server: EventLogServer<typeof Todos>
  readonly url: string
  readonly owner: Device
  readonly ownerKey: SigningKey
  /** What the owner proved itself with. */
  readonly ownerProof: Parameters<Device["send"]>[0]
  readonly attacker: Device
  readonly attackerKey: SigningKey
}

/** `B` is the owner's key, `A` the attacker's. */
export const makeScene = async (options: Partial<CreateEventLogServerOptions<typeof Todos>> = {}): Promise<Scene> => {
  const { server, url } = await startServer({ sessionAuth: "required", ...options })
  for (const publicKey of ["A", "B"]) await server.assign({ publicKey, storeId: `store of ${publicKey}` })
  const [owner, attacker] = [await openDevice(url), await openDevice(url)]
  const [ownerKey, attackerKey] = [makeSigningKey(), makeSigningKey()]
  const ownerProof = await owner.proof("B", ownerKey)
  owner.send(ownerProof)
  await owner.next("Authenticated")
  await owner.subscribe("B")
  await attacker.prove("A", attackerKey)
  return { server, url, owner, ownerKey, ownerProof, attacker, attackerKey }
}

/** Nothing of the owner's was touched, nothing was granted, and the owner is served as before. */
export const expectUnharmed = async ({ attacker, owner, ownerKey, server }: Scene): Promise<void> => {
  if (attacker.closed === undefined) {
    const refused = { _tag: "Error", code: "Unauthorized", reason: "NotProved" }
    expect(await attacker.write("B", [todoAdded("theft")])).toMatchObject(refused)
    expect(await attacker.subscribe("B")).toMatchObject(refused)
    expect(attacker.delivered("B")).toEqual([])
  }
  expect(await readAll(server, "store of A")).toEqual([])
  expect(await readAll(server, "store of B")).toEqual([])
  expect(await server.stats()).toMatchObject({ subscriptions: 1, committed: 0 })
  expect((await server.keys()).filter(({ publicKey }) => publicKey !== "A")).toEqual([
    { publicKey: "B", storeId: "store of B", signingPublicKey: ownerKey.signingPublicKey }
  ])
  expect(await owner.write("B", [todoAdded("mine")])).toMatchObject({ _tag: "Ack", sequenceNumbers: [1] })
  expect(await owner.untilDelivered("B", 1)).toMatchObject([{ entry: { primaryKey: "mine" } }])
}
