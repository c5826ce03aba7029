import { describe } from "vitest"
import { closing } from "./adapter/closing.ts"
import { frames } from "./adapter/frames.ts"
import type { Mount } from "./adapter/harness.ts"
import { session } from "./adapter/session.ts"
import { upgrade } from "./adapter/upgrade.ts"

/**
 * Declares the tests that an adapter must pass, each on an app of its own with real sockets. Needs the packages `vitest`
 * and `ws`.
 */
export const adapterSuite = (name: string, mount: Mount): void => {
  describe(name, () => {
    describe("upgrade", () => upgrade(mount))
    describe("frames", () => frames(mount))
    describe("closing", () => closing(mount))
    describe("session", () => session(mount))
  })
}
