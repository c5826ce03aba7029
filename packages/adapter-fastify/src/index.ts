export type { EventLogRegister } from "./options.ts"
export { eventLogPlugin } from "./plugin.ts"
