import { bareProtocol } from "./bareProtocol.ts"
import type { Protocol } from "./device.ts"
import { effectProtocol, stockProtocol } from "./effectProtocol.ts"
import { oursProtocol } from "./oursProtocol.ts"

/** How to speak with each kind of server. */
export const protocols = {
  ours: oursProtocol,
  effect: effectProtocol,
  stock: stockProtocol,
  bare: bareProtocol
} satisfies Record<string, Protocol>

/** A server that a load process is sent to. */
export interface Address {
  readonly protocol: keyof typeof protocols
  readonly url: string
}
