import { beforeEach, describe } from "vitest"
import { closing } from "./adapter/closing.ts"
import { frames } from "./adapter/frames.ts"
import type { Mount } from "./adapter/harness.ts"
import { session } from "./adapter/session.ts"
import { upgrade } from "./adapter/upgrade.ts"

/** A test of an adapter that doesn't run, since its runtime can't pass it, and why. */
export interface AdapterSkip {
  /** The test's title. */
  readonly test: string
  readonly reason: string
}

/** How the suite of adapters runs. */
export interface AdapterSuiteOptions {
  /** Tests to leave out. @default none */
  readonly skip?: ReadonlyArray<AdapterSkip> | undefined
}

/**
 * Declares the tests that an adapter must pass, each on an app of its own with real sockets. Needs the packages `vitest`
 * and `ws`.
 */
export const adapterSuite = (name: string, mount: Mount, { skip = [] }: AdapterSuiteOptions = {}): void => {
  const reasons = new Map(skip.map(({ reason, test }) => [test, reason]))
  describe(name, () => {
    beforeEach((context) => {
      const reason = reasons.get(context.task.name)
      if (reason !== undefined) context.skip(reason)
    })
    describe("upgrade", () => upgrade(mount))
    describe("frames", () => frames(mount))
    describe("closing", () => closing(mount))
    describe("session", () => session(mount))
  })
}
