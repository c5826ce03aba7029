import { type ClientStatus, EventLogClient, generateIdentity, statusChanges } from "@eventlog-server/core/client"
import { Effect, Layer, ManagedRuntime, Stream } from "effect"
import { type EventGroup, EventJournal, EventLog } from "effect/eventlog"
import { onTestFinished } from "vitest"
import { WebSocket } from "ws"

/** Which app is opened, and on which server. */
export interface AppOptions<Groups extends EventGroup.Any> {
  /** Where the server is mounted; http or ws. */
  readonly url: string
  /** Of the upgrade. @default none */
  readonly headers?: Readonly<Record<string, string>>
  readonly schema: EventLog.EventLogSchema<Groups>
  readonly handlers: Layer.Layer<EventGroup.ToService<Groups>, never, EventLog.Registry>
}

const withHeaders = (headers: Readonly<Record<string, string>>) =>
  class extends WebSocket {
    constructor(url: string, protocols?: string | Array<string>) {
      super(url, protocols, { headers: { ...headers } })
    }
  }

/** Opens an app on effect's `EventLog` with the client of this repository, on a new device, until the test is over. */
export const openApp = async <Groups extends EventGroup.Any>(options: AppOptions<Groups>) => {
  const { handlers, headers = {}, schema, url } = options
  const app = EventLogClient.layer({ url: url.replace(/^http/, "ws"), WebSocket: withHeaders(headers) })
  const runtime = ManagedRuntime.make(
    app.pipe(
      Layer.provideMerge(EventLog.layer(schema, handlers)),
      Layer.provideMerge([EventJournal.layerMemory, Layer.effect(EventLog.Identity, generateIdentity)])
    )
  )
  onTestFinished(() => runtime.dispose())
  const client = await runtime.runPromise(EventLogClient)
  const { publicKey } = await runtime.runPromise(EventLog.Identity)
  const write = await runtime.runPromise(EventLog.makeClient(schema))
  return {
    publicKey,
    write: (event: Parameters<typeof write>[0]) => runtime.runPromise(write(event)),
    /** The first status, from now on, that fits. */
    until: (fits: (status: ClientStatus) => boolean): Promise<ClientStatus> =>
      runtime.runPromise(Effect.flatMap(Stream.runHead(Stream.filter(statusChanges(client), fits)), Effect.fromOption))
  }
}
