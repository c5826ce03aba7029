import { BackendAwayError, feedStoreSuite, storeProgressSuite } from "../../../src/conformance/index.ts"

const backend = () => {
  throw new BackendAwayError("nothing listens on port 1")
}
feedStoreSuite("may be away", { backend, mayBeAway: true })
storeProgressSuite("must be there", { backend })
