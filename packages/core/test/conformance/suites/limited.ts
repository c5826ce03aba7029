import { storeProgressSuite } from "../../../src/conformance/index.ts"
import { memoryBackend } from "../../../src/index.ts"

storeProgressSuite("limited", {
  backend: memoryBackend,
  skip: [{ test: "cursors: answers for a thousand stores at once", reason: "this storage takes a minute for it" }]
})
