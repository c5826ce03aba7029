import type { Todo } from "../src/TodoList.ts"
import { byId } from "./elements.ts"
import { makeTodoRow, type Write } from "./todoRow.ts"

/** Shows the list, and answers how to show a new state of it. Rows stay in place, so that the focus isn't lost. */
export const makeTodoRows = (write: Write) => {
  const list = byId("todos", HTMLUListElement)
  const rows = new Map<string, ReturnType<typeof makeTodoRow>>()

  const drop = (id: string, row: HTMLLIElement) => {
    const hadFocus = row.contains(document.activeElement)
    const neighbour = row.nextElementSibling ?? row.previousElementSibling
    rows.delete(id)
    row.remove()
    if (hadFocus) (neighbour?.querySelector("button") ?? byId("text", HTMLInputElement)).focus()
  }

  return (todos: ReadonlyArray<Todo>) => {
    const ids = new Set(todos.map((todo) => todo.id))
    for (const [id, row] of rows) if (!ids.has(id)) drop(id, row.element)

    todos.forEach((todo, index) => {
      const row = rows.get(todo.id) ?? makeTodoRow(todo, write)
      rows.set(todo.id, row)
      row.show(todo)
      if (list.children[index] !== row.element) list.insertBefore(row.element, list.children[index] ?? null)
    })
    byId("empty", HTMLParagraphElement).hidden = todos.length > 0
  }
}
