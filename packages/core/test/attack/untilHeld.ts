import { heldBytes } from "@eventlog-server/testkit/heap"
import { expect } from "vitest"

/** Waits until the process holds no more than `bytes`. */
export const untilHeld = (bytes: number): Promise<void> =>
  expect.poll(heldBytes, { timeout: 10_000 }).toBeLessThan(bytes)
