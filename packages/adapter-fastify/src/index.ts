export type { EventLogPluginOptions, EventLogRegister } from "./options.ts"
export { eventLogPlugin } from "./plugin.ts"
