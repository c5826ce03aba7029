import { expect, it } from "vitest"
import { describeUnless } from "../skipping/describeUnless.ts"
import type { ForgetfulStorage, ReplacedStorage } from "./ForgetfulStorage.ts"
import { Scene } from "./Scene.ts"

const long = process.env.EVENTLOG_TEST_LONG !== undefined

/** How many entries each phase of a test waits for at least. */
const phase = 40

/** What to hold to the law. */
export interface FailoverLawOptions<Storage extends ReplacedStorage> {
  /** Why the storage can't be had, and how to get it. */
  readonly missing?: string | undefined
  /** Opens the storage for a test, with which it is closed. */
  readonly open: () => Promise<Storage>
  /** How many nodes work on it. */
  readonly nodes: number
  /** How often the test runs. @default 1, and 10 in long mode */
  readonly runs?: number | undefined
}

/** A storage whose replacement has everything that was acked: nobody notices but by a pause. */
export const losslessLaw = (name: string, { missing, nodes, open }: FailoverLawOptions<ReplacedStorage>): void => {
  describeUnless(missing)(name, () => {
    const count = long ? 5_000 : 500

    it(`has every one of ${count} acked entries after a failover under load`, { timeout: 240_000 }, async () => {
      const storage = await open()
      const scene = await Scene.open(storage, nodes)
      await scene.untilFeeds(() => count / 4)
      const [id] = scene.devices.map(({ remoteId }) => remoteId)
      await storage.takeOver()
      await scene.untilFeeds(() => count / 2)
      await scene.untilTold(phase)
      await scene.untilAgreed()
      const feeds = await scene.feeds()
      for (const { primaryKey, sequence, storeId } of scene.acked) {
        expect(feeds.get(storeId)?.get(sequence)?.primaryKey).toBe(primaryKey)
      }
      expect(scene.devices.map(({ remoteId }) => remoteId)).toEqual(scene.devices.map(() => id))
      expect(scene.losses).toEqual([])
    })
  })
}

/** A storage whose replacement lacks the end of what was acked: everybody is told, and nothing that is left is lost. */
export const lossLaw = (
  name: string,
  { missing, nodes, open, runs = long ? 10 : 1 }: FailoverLawOptions<ForgetfulStorage>
): void => {
  /** Opens a scene that has some entries, and some more that will be lost. */
  const openLosing = async () => {
    const storage = await open()
    const scene = await Scene.open(storage, nodes)
    await scene.untilTold(phase)
    const [id] = scene.devices.map(({ remoteId }) => remoteId)
    await storage.beginLosing()
    await scene.untilTold(3 * phase)
    return { storage, scene, id }
  }

  const expectTold = ({ devices, losses }: Scene, id: string | undefined): void => {
    const remoteIds = new Set(devices.map(({ remoteId }) => remoteId))
    expect(losses).toEqual([{ storeId: expect.any(String), sequence: expect.any(Number) }])
    expect(remoteIds.size).toBe(1)
    expect(remoteIds).not.toContain(id)
  }

  describeUnless(missing)(name, () => {
    it.for(Array.from({ length: runs }, (_, run) => run + 1))(
      "loses the end of a feed under load, and everybody agrees on what is left (run %i)",
      { timeout: 240_000 },
      async (run) => {
        const { id, scene, storage } = await openLosing()
        const [traveller] = scene.devices
        await traveller?.leave()
        // Handlers that were given what is lost come back when others have its sequences, or before.
        if (run % 2 === 1) scene.gate.close()
        await scene.untilTold(1)
        const before = await scene.feeds()
        await storage.takeOver()
        // Then a cursor beyond what is left is within the feed again, and points at other entries.
        await scene.untilFeeds((storeId) => before.get(storeId)!.size + phase)
        await scene.untilTold(phase)
        scene.gate.open()
        await traveller?.comeBack()
        await scene.untilAgreed()
        expectTold(scene, id)
      }
    )

    it("loses the end of a feed while nobody writes, and everybody is told all the same", {
      timeout: 240_000
    }, async () => {
      const { id, scene, storage } = await openLosing()
      await scene.untilAgreed()
      await storage.takeOver()
      await scene.untilAgreed()
      expectTold(scene, id)
    })
  })
}
