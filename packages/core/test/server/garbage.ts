import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

/** Collects garbage, and answers how many of the objects are still held by somebody. */
export const countHeld = async (objects: ReadonlyArray<WeakRef<object>>): Promise<number> => {
  // What a reference was just read from lives until the end of its turn of the event loop.
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
    collect()
  }
  return objects.filter((object) => object.deref() !== undefined).length
}
