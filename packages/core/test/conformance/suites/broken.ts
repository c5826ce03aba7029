import { feedAdminSuite } from "../../../src/conformance/index.ts"

const backend = () => {
  throw new Error("a typo in the test")
}
feedAdminSuite("broken", { backend, mayBeAway: true })
