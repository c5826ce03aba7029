import { SchemaAST } from "effect"
import type { Event } from "effect/eventlog"

/** The fields of each operation of an `EventRow`, sorted. */
const operations: Readonly<Record<string, string>> = {
  set: "_tag,row",
  patch: "_tag,fields,key",
  remove: "_tag,key"
}

const isOperation = (ast: SchemaAST.AST): boolean => {
  if (!SchemaAST.isObjects(ast)) return false
  const tag = ast.propertySignatures.find(({ name }) => name === "_tag")?.type
  const names = ast.propertySignatures.map(({ name }) => String(name)).sort()
  return tag !== undefined && SchemaAST.isLiteral(tag) && operations[String(tag.literal)] === names.join()
}

/** Whether an event is one of effect's `EventRow`, which sets, patches and removes a row by one event. */
export const isRowEvent = ({ payload: { ast } }: Pick<Event.AnyWithProps, "payload">): boolean =>
  SchemaAST.isUnion(ast) && ast.types.length === Object.keys(operations).length && ast.types.every(isOperation)
