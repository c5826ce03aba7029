export type { ForgetfulStorage, ReplacedStorage } from "./ForgetfulStorage.ts"
export { type FailoverLawOptions, lossLaw, losslessLaw } from "./failoverLaw.ts"
