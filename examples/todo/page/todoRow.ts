import type { TodoEvent } from "../src/schema.ts"
import type { Todo } from "../src/TodoList.ts"

/** Writes an event, or tells the user why it can't. */
export type Write = (event: TodoEvent) => void

/** The row of one todo: a checkbox, its text to edit in place, and a button that removes it. */
export const makeTodoRow = (todo: Todo, write: Write) => {
  const { id } = todo
  let shown = todo

  const done = document.createElement("input")
  done.type = "checkbox"
  done.addEventListener("change", () => write({ event: "TodoToggled", payload: { id, done: done.checked } }))

  const text = document.createElement("textarea")
  text.rows = 1
  text.maxLength = 500
  text.setAttribute("aria-label", "Text")
  text.addEventListener("change", () => {
    const entered = text.value.trim()
    if (entered === "" || entered === shown.text) return
    shown = { ...shown, text: entered }
    write({ event: "TodoRenamed", payload: { id, text: entered } })
  })
  text.addEventListener("keydown", (event) => {
    if (event.key === "Escape") text.value = shown.text
    if (event.key === "Escape" || event.key === "Enter") text.blur()
  })
  text.addEventListener("blur", () => {
    text.value = shown.text
  })

  const remove = document.createElement("button")
  remove.type = "button"
  remove.textContent = "Remove"
  remove.addEventListener("click", () => write({ event: "TodoRemoved", payload: { id } }))

  const element = document.createElement("li")
  element.append(done, text, remove)

  const show = (next: Todo) => {
    shown = next
    element.className = next.done ? "done" : ""
    done.checked = next.done
    done.setAttribute("aria-label", `Done: ${next.text}`)
    remove.setAttribute("aria-label", `Remove: ${next.text}`)
    // What somebody else wrote must not replace what this user is typing.
    if (document.activeElement !== text) text.value = next.text
  }
  show(todo)

  return { element, show }
}
