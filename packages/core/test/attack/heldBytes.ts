import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { expect } from "vitest"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

/** Bytes that this process still refers to, after what can be collected was. */
export const heldBytes = async (): Promise<number> => {
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    collect()
  }
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return arrayBuffers + heapUsed
}

/** Waits until the process holds no more than `bytes`. */
export const untilHeld = (bytes: number): Promise<void> =>
  expect.poll(heldBytes, { timeout: 10_000 }).toBeLessThan(bytes)
