import type { AllowedOrigins, Mountable } from "../../adapter.ts"

/** What a test wants mounted. An adapter hands each member on to its own option of that name. */
export interface MountOptions {
  readonly server: Mountable
  /** Asked for every upgrade with a function that reads a request header; throwing refuses it. */
  readonly authenticate?: ((header: (name: string) => string | undefined) => unknown) | undefined
  readonly allowedOrigins?: AllowedOrigins | undefined
  /** A hook or middleware of the app, before the mount, must answer every request with this HTTP status. */
  readonly refuse?: number | undefined
}

/** An app that listens on the loopback interface. */
export interface Mounted {
  /** Where clients connect: `ws://127.0.0.1:…`. */
  readonly url: string
  /** Closes the server and the app, in the order that the adapter's documentation asks for. */
  readonly close: () => Promise<void>
}

/** Starts an app of the adapter's framework, with the server mounted, on a free port. */
export type Mount = (options: MountOptions) => Promise<Mounted>
