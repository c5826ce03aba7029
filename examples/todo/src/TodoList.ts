import type { TodoEvent } from "./schema.ts"

/** A todo as its user sees it. */
export interface Todo {
  readonly id: string
  readonly text: string
  readonly done: boolean
}

interface Written<A> {
  readonly value: A
  /** Id of the entry that wrote the value. */
  readonly by: string
}

interface TodoState {
  addedBy?: string
  text?: Written<string>
  done?: Written<boolean>
  removed?: true
}

/**
 * Builds the list of todos from events. The server and the page run the same code.
 *
 * Each field keeps what the entry with the greatest id wrote, and a removal is final. So events may arrive in any order
 * and more than once, as they do after a device was offline, and everyone ends up with the same list.
 */
export class TodoList {
  readonly #todos = new Map<string, TodoState>()

  /** Takes an event in. `entryId` is the `idString` of its entry: ids sort by the time of writing. */
  apply({ event, payload }: TodoEvent, entryId: string): void {
    const todo = this.#todo(payload.id)
    switch (event) {
      case "TodoAdded":
        todo.addedBy = earlier(todo.addedBy, entryId)
        todo.text = later(todo.text, payload.text, entryId)
        break
      case "TodoRenamed":
        todo.text = later(todo.text, payload.text, entryId)
        break
      case "TodoToggled":
        todo.done = later(todo.done, payload.done, entryId)
        break
      case "TodoRemoved":
        todo.removed = true
    }
  }

  /** The todos that were added and not removed, oldest first. */
  items(): ReadonlyArray<Todo> {
    return [...this.#todos]
      .flatMap(([id, { addedBy, text, done, removed }]) =>
        addedBy === undefined || removed
          ? []
          : { addedBy, todo: { id, text: text?.value ?? "", done: done?.value ?? false } }
      )
      .sort((a, b) => (a.addedBy < b.addedBy ? -1 : 1))
      .map(({ todo }) => todo)
  }

  #todo(id: string): TodoState {
    const known = this.#todos.get(id)
    if (known !== undefined) return known
    const todo: TodoState = {}
    this.#todos.set(id, todo)
    return todo
  }
}

const earlier = (current: string | undefined, entryId: string) =>
  current === undefined || entryId < current ? entryId : current

const later = <A>(current: Written<A> | undefined, value: A, entryId: string): Written<A> =>
  current === undefined || entryId > current.by ? { value, by: entryId } : current
