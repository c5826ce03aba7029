export { eventLog } from "./eventLog.ts"
export type { EventLogOptions } from "./options.ts"
