export { type EntryFields, makeEntries, makeEntry, type TodoFields, todoAdded, todosAdded } from "./entries.ts"
export { makeRecord, makeRecords, type RecordFields } from "./records.ts"
export { silent } from "./silent.ts"
export { AddedTodos, addedSchema, schema, Todos } from "./todos.ts"
