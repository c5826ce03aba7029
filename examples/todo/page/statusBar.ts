import type { ClientStatus } from "@eventlog-server/core/client"
import { byId } from "./elements.ts"

const describe = ({ connection, caughtUp, lastError }: ClientStatus) => {
  if (connection === "online") return caughtUp ? "Synced with the server" : "Receiving changes"
  // Each further attempt is not worth telling: screen readers would announce it every few seconds.
  return connection === "connecting" && lastError === undefined ? "Connecting" : "Offline: changes stay on this device"
}

const setText = (element: HTMLElement, text: string) => {
  // Unchanged text must not be announced again.
  if (element.textContent !== text) element.textContent = text
}

/** Shows how the synchronization goes. */
export const showStatus = (status: ClientStatus): void => {
  const connection = byId("connection", HTMLParagraphElement)
  connection.dataset.state = status.connection === "online" && status.caughtUp ? "synced" : status.connection
  setText(connection, describe(status))
  // Before the first contact the client doesn't know what an earlier visit left unsent.
  setText(byId("pending", HTMLElement), `${status.remoteId === undefined ? "at least " : ""}${status.pendingWrites}`)
  setText(byId("cursor", HTMLElement), String(status.cursor))
  setText(byId("last-error", HTMLElement), status.lastError?.cause.message ?? "")
  byId("failure", HTMLDivElement).hidden = status.lastError === undefined
}
