import { type Backend, createEventLogServer } from "@eventlog-server/core"
import { withFeedStore } from "@eventlog-server/testkit/faults"
import { silent } from "@eventlog-server/testkit/schema"
import { Effect } from "effect"
import { serverSchema } from "../../schema.ts"
import type { ServerSettings } from "./settings.ts"

const done = async (): Promise<void> => {}
const hang = (): Promise<never> => new Promise(() => {})

/** A backend whose appends take longer than they would. Everything is done by the real one. @param delay milliseconds */
const slowBackend = (backend: Backend<unknown>, delay: number): Backend<unknown> =>
  withFeedStore(backend, (store) => ({ append: (...args) => Effect.delay(store.append(...args), delay) }))

/**
 * A server for everybody: a key is of the store that stands before its first slash, and may do there what it likes. Whoever
 * enrolls keys that begin with `never` never says where they belong.
 */
export const createServer = (settings: ServerSettings, backend: Backend<unknown>, readsHang: () => boolean) =>
  createEventLogServer({
    schema: serverSchema,
    handlers: {
      Added: done,
      Changed: done,
      Noted: done,
      Failed: () => Promise.reject(new Error("always")),
      Hung: hang
    },
    backend: settings.appendDelay === 0 ? backend : slowBackend(backend, settings.appendDelay),
    auth: {
      read: ({ publicKey }) => (readsHang() && publicKey.startsWith("hang") ? hang() : undefined),
      write: () => {}
    },
    enroll: ({ publicKey }) => (publicKey.startsWith("never") ? hang() : publicKey.split("/")[0]!),
    limits: settings.limits,
    reauthorizeInterval: settings.reauthorizeInterval,
    handlerTimeout: settings.handlerTimeout,
    authTimeout: settings.authTimeout,
    logger: silent
  })
