import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")
const gc = runInNewContext("gc") as (options?: { readonly type: "minor" }) => void

/** Bytes that this process uses for what JavaScript refers to, or did. */
export const usedBytes = (): number => {
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return arrayBuffers + heapUsed
}

/** Collects only what is young, which takes little time. */
export const collectYoung = (): void => gc({ type: "minor" })

/** Bytes that can't be let go of now. */
export const heldNow = (): number => {
  gc()
  return usedBytes()
}

/** Bytes that can't be let go of after finalizers ran, which takes some turns of the event loop. */
export const heldBytes = async (): Promise<number> => {
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    gc()
  }
  return usedBytes()
}
