import { byId, showProblem } from "./elements.ts"
import { login, logout, rememberedUser, sessionEnded } from "./session.ts"
import { showStatus } from "./statusBar.ts"
import { openTodoLog } from "./todoLog.ts"
import type { Write } from "./todoRow.ts"
import { makeTodoRows } from "./todoRows.ts"

const messageOf = (error: unknown) => (error instanceof Error ? error.message || error.name : String(error))

const showLogin = () => {
  const form = byId("login", HTMLFormElement)
  const name = byId("name", HTMLInputElement)
  form.hidden = false
  name.focus()
  form.addEventListener("submit", async (event) => {
    event.preventDefault()
    try {
      const user = await login(name.value)
      form.hidden = true
      showProblem(undefined)
      await showApp(user)
    } catch (error) {
      showProblem(`You could not be logged in: ${messageOf(error)}`)
    }
  })
}

// Browsers don't tell a page that its websocket was refused for want of a login, so it has to ask.
const leaveWhenSessionEnded = async (user: string) => {
  if (!(await sessionEnded(user))) return
  await logout()
  location.reload()
}

// `?client=effect` syncs with effect's own client, which needs nothing of this repository.
const clientOf = (query: string) => (new URLSearchParams(query).get("client") === "effect" ? "effect" : "eventlog")

const showApp = async (user: string) => {
  const log = await openTodoLog(user, clientOf(location.search))
  const write: Write = (event) => {
    log.write(event).catch((error) => showProblem(`This could not be saved: ${messageOf(error)}`))
  }

  log.watch(makeTodoRows(write)).catch((error) => showProblem(`The journal can't be read: ${messageOf(error)}`))
  const offline = byId("offline", HTMLButtonElement)
  const show = () => showStatus(log.sync.status(), offline.ariaPressed === "true")
  let { connection } = log.sync.status()
  log.sync.subscribe((status) => {
    show()
    if (status.connection === "offline" && connection !== "offline") leaveWhenSessionEnded(user)
    connection = status.connection
  })
  show()

  const text = byId("text", HTMLInputElement)
  byId("add", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault()
    const entered = text.value.trim()
    if (entered !== "") write({ event: "TodoAdded", payload: { id: crypto.randomUUID(), text: entered } })
    text.value = ""
  })

  offline.addEventListener("click", () => {
    const paused = offline.ariaPressed !== "true"
    offline.ariaPressed = String(paused)
    log.setPaused(paused)
    show()
  })

  byId("server-todo", HTMLButtonElement).addEventListener("click", async () => {
    const response = await fetch("/server-todo", { method: "POST" }).catch(() => undefined)
    showProblem(response?.ok ? undefined : "The server could not add a todo")
  })

  byId("user", HTMLElement).textContent = user
  byId("logout", HTMLButtonElement).addEventListener("click", async () => {
    await logout().catch(() => {})
    location.reload()
  })
  byId("app", HTMLDivElement).hidden = false
  await leaveWhenSessionEnded(user)
}

const start = () => {
  // Browsers offer crypto.subtle, with which a device proves who it is, on https and on localhost only.
  if (globalThis.crypto?.subtle === undefined) {
    return showProblem(`This page can't sync from ${location.origin}: it needs https, or http://localhost.`)
  }
  navigator.serviceWorker?.register("/sw.js").catch((error) => console.warn("The page is not kept offline", error))
  const user = rememberedUser()
  if (user === null) return showLogin()
  showApp(user).catch((error) => showProblem(`The todos can't be opened: ${messageOf(error)}`))
}

start()
