import { Context, Effect, Layer } from "effect"
import { type Event, type EventGroup, type EventJournal, EventLog } from "effect/eventlog"
import type { HandlerTransactions } from "../backend/Backend.ts"
import { CurrentTransaction } from "../backend/CurrentTransaction.ts"
import type { Author } from "../backend/FeedStore.ts"
import type { StoreId } from "../backend/StoreId.ts"
import { callPlain, type LazySignal, runReturned } from "../containment/plainFunction.ts"
import { CurrentAuthor, IsReplay, withPlain } from "../processing/handlers.ts"
import { eventsOf } from "./serverWrite.ts"

/** What a handler is told about an entry. */
export interface HandlerInput<Payload, Transaction = undefined> {
  readonly storeId: StoreId
  readonly payload: Payload
  readonly entry: EventJournal.Entry
  /** Earlier entries of the same event and primary key whose ids are greater, in id order. */
  readonly conflicts: ReadonlyArray<{ readonly entry: EventJournal.Entry; readonly payload: Payload }>
  /** The public key of the device that wrote it; `null` for the server. */
  readonly author: Author
  /** Whether the entry was handled before, and handlers are seeing the feed again (`reprocess`): send no mail twice. */
  readonly isReplay: boolean
  /** Aborted when the handler ran out of time or the server closes. */
  readonly signal: AbortSignal
  /**
   * The transaction that what the handler writes is committed in, together with the fact that it ran; `undefined` where the
   * backend wasn't asked for it. It ends with the handler.
   */
  readonly transaction: Transaction
}

/**
 * One plain function for each event of a schema. A promise that it returns is waited for, and an effect that it returns, as
 * `EventRow.handler` does, is run; anything else is ignored.
 */
export type AsyncHandlers<Groups extends EventGroup.Any, Transaction = undefined> = {
  readonly [Tag in Event.Tag<EventGroup.Events<Groups>>]: (
    input: HandlerInput<Event.PayloadWithTag<EventGroup.Events<Groups>, Tag>, Transaction>
  ) => unknown
}

// A plain function brings what it needs with it.
// biome-ignore lint/suspicious/noExplicitAny: the type that effect's registry wants
const noServices = Context.empty() as Context.Context<any>

/** What a handler is told by effect's own. */
type EntryInput = Omit<HandlerInput<unknown>, "author" | "signal" | "transaction">

type AnyHandler<Transaction> = (input: HandlerInput<unknown, Transaction>) => unknown

/** The handlers as effect's `EventLog.group` would register them. */
export const layerAsyncHandlers = <Groups extends EventGroup.Any, Transaction = undefined>(
  schema: EventLog.EventLogSchema<Groups>,
  handlers: AsyncHandlers<Groups, Transaction>,
  transactions?: HandlerTransactions<Transaction> | undefined
): Layer.Layer<EventGroup.ToService<Groups>, never, EventLog.Registry> =>
  Layer.effectDiscard(
    Effect.map(EventLog.Registry, (registry) => {
      for (const [tag, event] of eventsOf(schema)) {
        const handler = (handlers as Record<string, AnyHandler<Transaction>>)[tag]
        if (handler === undefined) continue
        registry.registerHandlerUnsafe({
          event: tag,
          handler: { event, context: noServices, handler: asRegistered(handler, transactions) }
        })
      }
    })
  ) as Layer.Layer<never, never, EventLog.Registry> as Layer.Layer<
    EventGroup.ToService<Groups>,
    never,
    EventLog.Registry
  >

/** A class, since an object with a getter of its own is dear to make for each entry. */
class Input<Transaction> implements HandlerInput<unknown, Transaction> {
  readonly storeId: StoreId
  readonly payload: unknown
  readonly entry: EventJournal.Entry
  readonly conflicts: EntryInput["conflicts"]
  readonly author: Author
  readonly isReplay: boolean
  readonly transaction: Transaction
  readonly #signal: LazySignal

  constructor(
    { conflicts, entry, isReplay, payload, storeId }: EntryInput,
    author: Author,
    signal: LazySignal,
    transaction: Transaction
  ) {
    this.storeId = storeId
    this.payload = payload
    this.entry = entry
    this.conflicts = conflicts
    this.author = author
    this.isReplay = isReplay
    this.transaction = transaction
    this.#signal = signal
  }

  get signal(): AbortSignal {
    return this.#signal.get()
  }
}

/** A plain function as a handler that effect's registry has. */
const asRegistered = <Transaction>(
  handler: AnyHandler<Transaction>,
  transactions: HandlerTransactions<Transaction> | undefined
) => {
  const call = (input: EntryInput, author: Author, signal: LazySignal, transaction: Transaction): unknown =>
    handler(new Input(input, author, signal, transaction))
  const inFiber = (entryInput: Omit<EntryInput, "isReplay">) =>
    Effect.withFiber<unknown, unknown>((fiber) => {
      const input = { ...entryInput, isReplay: fiber.getRef(IsReplay) }
      const author = fiber.getRef(CurrentAuthor)
      const transaction = fiber.getRef(CurrentTransaction) as Transaction
      const returned = callPlain((signal) => {
        const run = () => call(input, author, signal, transaction)
        return transaction === undefined || transactions === undefined ? run() : transactions.enter(transaction, run)
      })
      return Effect.flatMap(returned, runReturned)
    })
  return withPlain(inFiber, (input, author, signal) => call(input, author, signal, undefined as Transaction))
}
