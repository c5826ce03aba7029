import { byId } from "./elements.ts"
import type { SyncStatus } from "./Sync.ts"

const describe = ({ connection, caughtUp, lastError }: SyncStatus) => {
  if (connection === "online" && caughtUp === undefined) return "Connected to the server"
  if (connection === "online") return caughtUp ? "Synced with the server" : "Receiving changes"
  // Each further attempt is not worth telling: screen readers would announce it every few seconds.
  return connection === "connecting" && lastError === undefined ? "Connecting" : "Offline: changes stay on this device"
}

const setText = (element: HTMLElement, text: string) => {
  // Unchanged text must not be announced again.
  if (element.textContent !== text) element.textContent = text
}

/** Shows how the synchronization goes. @param byChoice whether the user wants to be offline, which is no failure */
export const showStatus = (status: SyncStatus, byChoice: boolean): void => {
  const { caughtUp, connection, cursor, mayBeMore, pendingWrites } = status
  const lastError = byChoice ? undefined : status.lastError
  const element = byId("connection", HTMLParagraphElement)
  element.dataset.state = connection === "online" && caughtUp !== false ? "synced" : connection
  setText(element, describe(status))
  setText(byId("pending", HTMLElement), `${mayBeMore ? "at least " : ""}${pendingWrites}`)
  setText(byId("cursor", HTMLElement), String(cursor))
  setText(byId("last-error", HTMLElement), lastError ?? "")
  byId("failure", HTMLDivElement).hidden = lastError === undefined
}
