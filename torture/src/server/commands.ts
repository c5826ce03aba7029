import type { StoredEntry } from "../oracle/history.ts"

/** What a server program is started with, as JSON. */
export interface Settings {
  readonly storage: string
  /** Where the storage is; the storage knows what it means. */
  readonly address: string
  readonly port: number
  /** Names this life of the server. */
  readonly run: string
  /** How far its clock is ahead of the machine's, in milliseconds. */
  readonly clockOffset: number
  /** Whether handlers share the cursor's transaction, where the storage has transactions. */
  readonly isTransactional: boolean
  /** The file that handlers write to, shared by all servers. */
  readonly handlerLog: string
}

/** The place of an entry. */
export interface Place {
  readonly storeId: string
  readonly sequence: number
}

/** An entry that is kept as a failure. */
export interface KeptEntry extends Place {
  readonly id: string
  readonly event: string
}

/** What a server program can be told, and what it answers. */
export interface Commands {
  readonly assign: (options: { readonly publicKey: string; readonly storeId: string }) => Promise<void>
  readonly remove: (publicKey: string) => Promise<void>
  readonly write: (options: {
    readonly storeId: string
    readonly key: string
    readonly text: string
    readonly runHandlers: boolean
  }) => Promise<number>
  readonly read: (storeId: string) => Promise<ReadonlyArray<StoredEntry>>
  readonly processed: (options: { readonly storeId: string; readonly sequence: number }) => Promise<void>
  readonly projection: (storeId: string) => Promise<ReadonlyArray<string> | undefined>
  /** What is kept of entries that failed. */
  readonly failures: () => Promise<ReadonlyArray<KeptEntry>>
  /** Has one of them tried again, or all whose handlers failed. */
  readonly retry: (place?: Place) => Promise<void>
  readonly discard: (place: Place) => Promise<void>
  /** Has handlers see a store again. */
  readonly reprocess: (storeId: string) => Promise<void>
  readonly disconnect: (publicKey: string) => Promise<number>
  /** Bytes that the process has. */
  readonly memory: () => Promise<number>
  readonly shiftClock: (millis: number) => Promise<void>
  /** Closes the server and opens another one on the same backend, as a deploy does. */
  readonly redeploy: () => Promise<void>
  /** The storage has no room any more, or has it again. */
  readonly setFull: (isFull: boolean) => Promise<void>
}

/** The arguments and the answer of a command. */
export type Arguments<Name extends keyof Commands> = Parameters<Commands[Name]>
export type Answer<Name extends keyof Commands> = Awaited<ReturnType<Commands[Name]>>

/** A command on its way. */
export interface Call {
  readonly id: number
  readonly name: keyof Commands
  readonly args: ReadonlyArray<unknown>
}

/** An answer on its way back; `error` when the command failed. */
export interface Reply {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

/** A handler's run, as a line of the handler log. */
export interface HandlerLine {
  /** The machine's time, in milliseconds since the epoch. */
  readonly time: number
  readonly store: string
  readonly run: string
  readonly id: string
  readonly conflicts: ReadonlyArray<string>
  /** Whether the handler is about to fail, and has nothing else to say. */
  readonly flunked?: true | undefined
  /** Whether the line is about a reset of the store, and not about an entry. */
  readonly reset?: true | undefined
  /** Why the server took the handler for failed, where the line is about that. */
  readonly failure?: { readonly reason: string; readonly why: string } | undefined
}
