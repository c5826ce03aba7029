const storageKey = "todo-user"

/** The user who logged in last in this browser. Known without the server, so that the page opens offline. */
export const rememberedUser = (): string | null => localStorage.getItem(storageKey)

/** Logs in, and answers the user's name as the server keeps it. Rejects with a message for the user. */
export const login = async (name: string): Promise<string> => {
  const response = await fetch("/login", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name })
  })
  const body = await response.json()
  if (!response.ok) throw new Error(body.message)
  localStorage.setItem(storageKey, body.user)
  return body.user
}

/** Ends the session. The user's todos stay in this browser until the same user logs in again. */
export const logout = async (): Promise<void> => {
  localStorage.removeItem(storageKey)
  await fetch("/logout", { method: "POST" })
}

/** Whether the server says that somebody else, or nobody, is logged in. A server that is out of reach, or ends, says nothing. */
export const sessionEnded = async (user: string): Promise<boolean> => {
  const response = await fetch("/me").catch(() => undefined)
  if (response === undefined || response.status >= 500) return false
  return (await response.json()).user !== user
}
