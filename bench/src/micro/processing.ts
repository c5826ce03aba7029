import { makeEntries } from "./entries.ts"
import { makeServer, storeId } from "./server.ts"

const size = 1_000

/** Writes entries, and waits until their handlers ran. */
export const makeProcessing = async () => {
  const { run, server } = await makeServer()
  return async () => {
    const { sequenceNumbers } = await run(server.writeToStore({ storeId, entries: makeEntries(size, size) }))
    await run(server.processed({ storeId, sequence: sequenceNumbers.at(-1)! }))
    return size
  }
}
