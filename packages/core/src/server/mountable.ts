import type { ConnectionInfo, RefusalStatus } from "../connection/connections.ts"
import type { ProtocolName } from "../connection/protocol.ts"
import type { Transport, TransportListener } from "../connection/Transport.ts"
import type { Limits } from "../wire/limits.ts"
import type { Endpoint } from "./endpoints.ts"

/** What an adapter needs of a server. */
export interface Mountable {
  readonly limits: Limits
  /**
   * Whether a connection may be opened, to be asked before the upgrade and after the app authenticated it. Resolves with
   * nothing, or with the status to refuse it with; never rejects.
   */
  readonly admit: (info: ConnectionInfo) => Promise<RefusalStatus | undefined>
  /** The protocols that it speaks, and where: each path comes behind the one that the server is mounted at. */
  readonly endpoints: ReadonlyArray<Endpoint>
  /**
   * Opens a session on a connection, at once and without throwing. Frames that come before the server is ready wait,
   * within bounds.
   * @param protocol that of the endpoint @default "eventlog"
   */
  readonly connect: (
    transport: Transport,
    info: ConnectionInfo,
    protocol?: ProtocolName | undefined
  ) => TransportListener
  /** Refuses what is new, answers what was accepted, closes every connection with 1012. Idempotent. */
  readonly close: () => Promise<void>
}

type Connect = Mountable["connect"]

/**
 * A connection that came before the server was ready. Where the runtime can, it isn't read until then; elsewhere its frames
 * wait, as many as a peer may send that has proved no key.
 */
class EarlyConnection implements TransportListener {
  private readonly transport: Transport
  private readonly info: ConnectionInfo
  private readonly protocol: ProtocolName | undefined
  private readonly limits: Limits
  private readonly onOver: (connection: EarlyConnection) => void
  private frames: Array<Uint8Array | string> = []
  private bytes = 0
  private listener: TransportListener | undefined
  private isOver = false

  /** @param onOver called when it ended before the server was ready */
  constructor(
    transport: Transport,
    info: ConnectionInfo,
    protocol: ProtocolName | undefined,
    limits: Limits,
    onOver: (connection: EarlyConnection) => void
  ) {
    this.transport = transport
    this.info = info
    this.protocol = protocol
    this.limits = limits
    this.onOver = onOver
    transport.pause?.()
  }

  receive(frame: Uint8Array | string): void {
    if (this.listener !== undefined) return this.listener.receive(frame)
    if (this.isOver) return
    this.bytes += frame.length
    const { maxUnprovedBytes, maxUnprovedFrames } = this.limits
    const isTooMuch = this.bytes > maxUnprovedBytes || this.frames.length >= maxUnprovedFrames
    // What was read before the pause may be a few frames more.
    if (isTooMuch && (this.transport.pause === undefined || this.bytes > 2 * maxUnprovedBytes)) {
      return this.refuse(1008, "Too much is unanswered")
    }
    this.frames.push(frame)
  }

  closed(): void {
    this.isOver = true
    this.frames = []
    this.onOver(this)
    this.listener?.closed()
  }

  /** The server is there: what waited is handed on, in order. */
  begin(connect: Connect): void {
    this.listener = connect(this.transport, this.info, this.protocol)
    for (const frame of this.frames.splice(0)) this.listener.receive(frame)
    this.transport.resume?.()
  }

  /** There will be no server for this connection. */
  refuse(code: number, reason: string): void {
    this.closed()
    this.transport.resume?.()
    this.transport.close(code, reason)
  }
}

/** Connections from the first moment on: before the server is ready, while it runs, and when there is none any more. */
export interface Mount {
  readonly connect: Connect
  /** Why no connection may be opened any more. A server says itself whom it doesn't let in, when it is ready. */
  readonly refusal: () => RefusalStatus | undefined
  readonly isReady: () => boolean
  /** Refuses those that wait for the server, and those to come if it never was ready. */
  readonly close: () => void
}

interface Refusal {
  readonly code: number
  readonly reason: string
}

const unavailable: Refusal = { code: 1013, reason: "The storage is unavailable" }

/** Accepts connections before the server is there. */
export const mountWhenReady = (limits: Limits, server: Promise<{ readonly connect: Connect }>): Mount => {
  let ready: { readonly connect: Connect } | undefined
  let refusal: Refusal | undefined
  const early = new Set<EarlyConnection>()

  const refuse = ({ code, reason }: Refusal): void => {
    refusal ??= { code, reason }
    for (const connection of [...early]) connection.refuse(code, reason)
  }

  server.then(
    (started) => {
      if (refusal !== undefined) return
      ready = started
      for (const connection of early) connection.begin(ready.connect)
      early.clear()
    },
    () => refuse(unavailable)
  )

  return {
    connect: (transport, info, protocol) => {
      if (ready !== undefined) return ready.connect(transport, info, protocol)
      const connection = new EarlyConnection(transport, info, protocol, limits, (over) => early.delete(over))
      if (refusal !== undefined) connection.refuse(refusal.code, refusal.reason)
      else if (early.size >= limits.maxUnprovedConnections) connection.refuse(1013, "Too many connections")
      else early.add(connection)
      return connection
    },
    refusal: () => (refusal === undefined ? undefined : 503),
    isReady: () => ready !== undefined,
    close: () => refuse({ code: 1012, reason: "The server restarts" })
  }
}
