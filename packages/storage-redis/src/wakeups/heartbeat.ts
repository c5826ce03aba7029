import type { Subscriber } from "../client.ts"

/** In milliseconds: how often a connection is asked, and how long it may take to answer. */
const interval = 10_000

/**
 * Asks a connection every now and then whether it still is one, and ends it when it doesn't answer: where a network is
 * cut, nobody says so for a long time. Returns how to stop.
 */
export const watch = (connection: Pick<Subscriber, "ping" | "disconnect">): (() => void) => {
  let isAnswered = true
  const timer = setInterval(() => {
    if (!isAnswered) return connection.disconnect()
    isAnswered = false
    connection.ping().then(
      () => {
        isAnswered = true
      },
      () => connection.disconnect()
    )
  }, interval)
  return () => clearInterval(timer)
}
