import { Effect, Option } from "effect"

/** Why a websocket can't be opened, as far as that can be known. */
export class OpeningError extends Error {
  override readonly name = "OpeningError"
  /** The HTTP status that the server answered, where it did. */
  readonly status: number | undefined

  constructor(message: string, options: { readonly status?: number | undefined; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.status = options.status
  }
}

/** What a status says of a request for a websocket. 426 is what adapters answer to one that would be let in. */
const meanings: Readonly<Record<number, string>> = {
  401: "The server doesn't know who this is: it needs a login",
  403: "The server doesn't let this page or this user connect",
  404: "The server has no event log at this address",
  426: "The server lets this device in, but a websocket can't be opened: a proxy before it may not pass them on, or may drop the subprotocol",
  429: "The server has had too many connections from here",
  503: "The server takes no connections now"
}

const byStatus = (status: number, cause: unknown): OpeningError =>
  new OpeningError(`${meanings[status] ?? "The server refuses the connection"} (HTTP ${status})`, { status, cause })

/** What was thrown before there was a websocket, or the event of one that failed. */
interface Failed {
  readonly message?: unknown
}

/** The status that the `ws` package tells of; browsers tell of nothing. */
const statusIn = (failed: Failed): number | undefined => {
  const status = /Unexpected server response: (\d{3})/.exec(String(failed.message))?.[1]
  return status === undefined ? undefined : Number(status)
}

/** Explains what can be told without asking anybody. */
export const explainHere = (failed: unknown): OpeningError | undefined => {
  if (failed instanceof Error) return new OpeningError(failed.message, { cause: failed })
  const status = statusIn((failed ?? {}) as Failed)
  return status === undefined ? undefined : byStatus(status, failed)
}

const attempt = (url: string, init: RequestInit) =>
  Effect.tryPromise((signal) => fetch(url, { ...init, signal, cache: "no-store" })).pipe(Effect.option)

/**
 * Asks the address of a websocket by plain HTTP why it can't be opened. Browsers keep from a page what became of its websocket,
 * and let it see the answer to a request of its own origin; of another one only whether there is any.
 *
 * @param timeout in milliseconds
 */
export const explainByAsking = (webSocketUrl: string, timeout: number, failed: unknown): Effect.Effect<OpeningError> =>
  Effect.gen(function* () {
    const url = webSocketUrl.replace(/^ws/, "http")
    const answer = yield* attempt(url, { redirect: "manual" })
    if (Option.isSome(answer)) return byStatus(answer.value.status, failed)
    const anyAnswer = yield* attempt(url, { mode: "no-cors" })
    return new OpeningError(
      Option.isSome(anyAnswer)
        ? "A server is there, and a page of another origin can't know why it refuses the connection"
        : "No server answers at this address",
      { cause: failed }
    )
  }).pipe(
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => Effect.succeed(new OpeningError("The server does not answer", { cause: failed }))
    })
  )
