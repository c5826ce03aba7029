export { type Describe, describeUnless } from "./describeUnless.ts"
export { unlessRequired } from "./unlessRequired.ts"
