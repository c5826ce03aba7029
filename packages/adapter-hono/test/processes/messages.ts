import type { ConnectionInfo } from "@eventlog-server/core"
import type { AllowedOrigins, Endpoint, Limits, ProtocolName, RefusalStatus } from "@eventlog-server/core/adapter"

/** What a mount is made of in another process: what can be said of it in JSON. */
export interface MountRequest {
  readonly limits: Limits
  readonly endpoints: ReadonlyArray<Endpoint>
  readonly asksWho: boolean
  readonly allowedOrigins?: AllowedOrigins | undefined
  readonly refuse?: number | undefined
}

/** What a socket can in its runtime. */
export type Ability = "terminate" | "pause" | "resume"

/** What the test tells the process. `mount` and `connection` are numbers that name one. Bytes are base64. */
export type ToProcess =
  | { readonly _tag: "Mount"; readonly mount: number; readonly request: MountRequest }
  | { readonly _tag: "Unmount"; readonly mount: number }
  | { readonly _tag: "Answer"; readonly question: number; readonly value?: unknown; readonly failed: boolean }
  | { readonly _tag: "Send"; readonly connection: number; readonly bytes: string }
  | { readonly _tag: "Close"; readonly connection: number; readonly code: number; readonly reason: string }
  | { readonly _tag: "Act"; readonly connection: number; readonly ability: Ability }

/** What is asked of the test's server. */
export type Question =
  | { readonly _tag: "Who"; readonly headers: Readonly<Record<string, string>> }
  | { readonly _tag: "Admit"; readonly info: ConnectionInfo }
  | { readonly _tag: "End" }

/** What the answers are. */
export interface Answers {
  readonly Who: unknown
  readonly Admit: RefusalStatus | undefined
  readonly End: unknown
}

/** What the process tells the test. */
export type FromProcess =
  | { readonly _tag: "Mounted"; readonly mount: number; readonly port: number }
  | { readonly _tag: "Unmounted"; readonly mount: number }
  | { readonly _tag: "Ask"; readonly mount: number; readonly question: number; readonly asked: Question }
  | {
      readonly _tag: "Connected"
      readonly mount: number
      readonly connection: number
      readonly info: ConnectionInfo
      readonly protocol: ProtocolName | undefined
      readonly abilities: ReadonlyArray<Ability>
    }
  | { readonly _tag: "Frame"; readonly connection: number; readonly bytes?: string; readonly text?: string }
  | { readonly _tag: "Closed"; readonly connection: number }
