import type { ProtocolName } from "../connection/protocol.ts"

/** Where a protocol is served. */
export interface Endpoint {
  /** What comes behind the path that the server is mounted at: `""` or `"/rpc"`. */
  readonly path: string
  readonly protocol: ProtocolName
}

/** Which protocols a server speaks. */
export interface ProtocolOptions {
  /** Our own, at the path that the server is mounted at. @default true */
  readonly eventlog?: boolean | undefined
  /** The RPC of effect's own client, at `<path>/rpc`. @default true */
  readonly rpc?: boolean | undefined
}

const all: ReadonlyArray<Endpoint> = [
  { path: "", protocol: "eventlog" },
  { path: "/rpc", protocol: "rpc" }
]

/** The endpoints of the protocols that are not switched off. */
export const endpointsOf = (protocols: ProtocolOptions = {}): ReadonlyArray<Endpoint> =>
  all.filter(({ protocol }) => protocols[protocol] !== false)
