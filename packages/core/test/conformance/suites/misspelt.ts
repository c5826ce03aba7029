import { storeProgressSuite } from "../../../src/conformance/index.ts"
import { memoryBackend } from "../../../src/index.ts"

storeProgressSuite("misspelt", {
  backend: memoryBackend,
  skip: [{ test: "cursors: answers for a million stores at once", reason: "who has that many?" }]
})
