/** For apps whose events change: what older devices make of a new version, and handlers that get old entries as new ones. */

export { checkSchemaChange, type SchemaProblem } from "./checkSchemaChange.ts"
export { upcast } from "./upcast.ts"
