import { onTestFinished } from "vitest"
import type { Endpoint, Mountable, ProtocolName, RefusalStatus } from "../../adapter.ts"
import type { Transport, TransportListener } from "../../connection/Transport.ts"
import type { ConnectionInfo } from "../../index.ts"
import { defaultLimits } from "../../wire/limits.ts"
import type { Mount, MountOptions } from "./harness.ts"
import { Inbox } from "./inbox.ts"

/** A connection as the server saw it. */
export interface Recorded {
  readonly transport: Transport
  readonly info: ConnectionInfo
  readonly protocol: ProtocolName | undefined
  /** What `receive` was called with. */
  readonly frames: Inbox<Uint8Array | string>
  /** One value per call of `closed`. */
  readonly ends: Inbox<"closed">
}

/** A server that only records, so that a test sees exactly what the adapter does. */
export interface Recorder extends Mountable {
  readonly connections: Inbox<Recorded>
}

/** Sent by the recorder within `connect`, before the adapter has its listener. */
export const greeting = new Uint8Array([1, 2, 3])

/** Sent by the recorder when it is closed, before the connections are. */
export const farewell = new Uint8Array([9, 9])

/** The recorder's `maxFrameBytes`. */
export const maxFrameBytes = 64 * 1024

/** The same bytes, not a copy, as a class that compares: a `Buffer` is as good as any `Uint8Array`. */
const plainView = ({ buffer, byteLength, byteOffset }: Uint8Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

/** A class, as a server may well use one: an adapter must call its members on it. */
class RecordingListener implements TransportListener {
  readonly frames = new Inbox<Uint8Array | string>()
  readonly ends = new Inbox<"closed">()
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  receive(frame: Uint8Array | string): void {
    if (frame.length > maxFrameBytes) this.#transport.close(1009, "")
    else this.frames.put(frame instanceof Uint8Array ? plainView(frame) : frame)
  }

  closed(): void {
    this.ends.put("closed")
  }
}

class RecordingServer implements Recorder {
  readonly limits = { ...defaultLimits, maxFrameBytes }
  readonly endpoints: ReadonlyArray<Endpoint>
  readonly connections = new Inbox<Recorded>()
  readonly #transports: Array<Transport> = []
  readonly #admit: Mountable["admit"]

  constructor(endpoints: ReadonlyArray<Endpoint>, admit: Mountable["admit"] = async () => undefined) {
    this.endpoints = endpoints
    this.#admit = admit
  }

  admit(info: ConnectionInfo): Promise<RefusalStatus | undefined> {
    return this.#admit(info)
  }

  connect(transport: Transport, info: ConnectionInfo, protocol?: ProtocolName): TransportListener {
    const listener = new RecordingListener(transport)
    this.#transports.push(transport)
    transport.send(greeting)
    this.connections.put({ transport, info, protocol, frames: listener.frames, ends: listener.ends })
    return listener
  }

  async close(): Promise<void> {
    // A turn of the event loop, as a server takes that finishes its writes first.
    await new Promise((resolve) => setTimeout(resolve))
    for (const transport of this.#transports) {
      transport.send(farewell)
      transport.close(1012, "going away")
    }
  }
}

/** Those of a server that speaks everything. */
const allEndpoints: ReadonlyArray<Endpoint> = [
  { path: "", protocol: "eventlog" },
  { path: "/rpc", protocol: "rpc" }
]

/** What a test wants of the mount, and whom the recorder admits: everybody, unless the test says otherwise. */
export interface RecordOptions extends Omit<MountOptions, "server"> {
  readonly admit?: Mountable["admit"]
}

/** Mounts a recorder for the length of the current test. */
export const record = async (
  mount: Mount,
  { admit, ...options }: RecordOptions = {},
  endpoints = allEndpoints
): Promise<{ readonly recorder: Recorder; readonly url: string; readonly close: () => Promise<void> }> => {
  const recorder = new RecordingServer(endpoints, admit)
  const { close, url } = await mount({ ...options, server: recorder })
  let closing: Promise<void> | undefined
  const closeOnce = (): Promise<void> => (closing ??= close())
  onTestFinished(closeOnce)
  return { recorder, url, close: closeOnce }
}
