import { AsyncLocalStorage } from "node:async_hooks"
import type { HandlerTransactions } from "@eventlog-server/core/backend"
import type { ControlledTransaction, KyselyPlugin, Transaction } from "kysely"

/** A handler used its transaction after it had ended, or had run out of time. */
export class RevokedTransactionError extends Error {
  override readonly name = "RevokedTransactionError"

  constructor() {
    super("The transaction of an event handler was used after the handler had ended")
  }
}

/** What a handler is given of a transaction. */
export interface Handle<DB> {
  readonly transaction: Transaction<DB>
  isRevoked: boolean
}

const handles = new WeakMap<object, Handle<unknown>>()

/** The handle of the handler that the running code was called by. */
const current = new AsyncLocalStorage<Handle<unknown> | undefined>()

/** A handle on a transaction, for one handler: when it is revoked, new statements fail. */
export const makeHandle = <DB>(transaction: ControlledTransaction<DB>): Handle<DB> => {
  const guard: KyselyPlugin = {
    transformQuery: ({ node }) => {
      if (handle.isRevoked) throw new RevokedTransactionError()
      return node
    },
    transformResult: async ({ result }) => result
  }
  const handle: Handle<DB> = { transaction: transaction.withPlugin(guard), isRevoked: false }
  handles.set(handle.transaction, handle as Handle<unknown>)
  return handle
}

/** Whether the running code was called by a handler whose transaction is still open. */
export const isInsideHandler = (): boolean => current.getStore()?.isRevoked === false

/** How plain functions take part in transactions of the app's database. */
export const handlerTransactions = <DB>(): HandlerTransactions<Transaction<DB>> => ({
  enter: (transaction, call) => current.run(handles.get(transaction), call),
  isInside: isInsideHandler
})
