import { Cause, type Layer, Logger, References } from "effect"

/** The methods of an app's logger that the server calls; pino and Fastify's `app.log` have this shape. */
export interface AppLogger {
  readonly debug: (fields: object, message: string) => void
  readonly info: (fields: object, message: string) => void
  readonly warn: (fields: object, message: string) => void
  readonly error: (fields: object, message: string) => void
}

const methodOf = (level: string): keyof AppLogger => {
  if (level === "Error" || level === "Fatal") return "error"
  if (level === "Warn") return "warn"
  return level === "Info" ? "info" : "debug"
}

/** Sends everything that the server logs to the app's logger, in place of effect's own. */
export const layerAppLogger = (logger: AppLogger): Layer.Layer<never> =>
  Logger.layer([
    Logger.make(({ cause, fiber, logLevel, message }) => {
      const parts = Array.isArray(message) ? message : [message]
      const text = parts.filter((part) => typeof part === "string").join(" ")
      const details = parts.filter((part) => typeof part !== "string")
      const fields = {
        ...fiber.getRef(References.CurrentLogAnnotations),
        ...(details.length > 0 ? { details } : {}),
        ...(cause.reasons.length > 0 ? { cause: Cause.pretty(cause) } : {})
      }
      // There is nowhere to tell of a logger that throws or rejects, and what was to be logged must not fail because of it.
      const call = async (): Promise<void> => logger[methodOf(logLevel)](fields, text)
      call().catch(() => {})
    })
  ])
