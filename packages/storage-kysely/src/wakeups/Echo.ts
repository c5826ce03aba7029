import type { StorageError } from "@eventlog-server/core/backend"
import { Effect, Latch } from "effect"

/** How long the database has to take what a node tells, and the node to hear it. */
const patience = "5 seconds"

const deaf = `This process doesn't hear what it tells itself by "notify", so it looks for changes as it does without \
"listen". That is so where "listen" connects through a pooler that shares connections between transactions, as PgBouncer \
with pool_mode "transaction" or "statement" does: have "listen" connect to PostgreSQL itself, past the pooler. The rest may \
go through it`

/**
 * Finds out whether a node hears what is told. A pooler may take a `listen` as any other statement, and then gives the
 * connection that listens to somebody else: nothing fails, and nothing is ever heard.
 */
export class Echo {
  readonly #heard = Latch.makeUnsafe(false)
  readonly #tell: Effect.Effect<unknown, StorageError>
  #hasWarned = false

  /** @param tell tells this node something, on another connection than it listens on */
  constructor(tell: Effect.Effect<unknown, StorageError>) {
    this.#tell = tell
  }

  /** The node heard itself. */
  hear(): void {
    this.#heard.openUnsafe()
  }

  /** Whether the node hears what it tells itself. It is said once why it doesn't; an outage is no reason. */
  get isHeard(): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function* () {
      this.#heard.closeUnsafe()
      const told = yield* Effect.timeoutOption(Effect.exit(this.#tell), patience)
      if (told._tag === "None" || told.value._tag === "Failure") return false
      const heard = yield* Effect.timeoutOption(this.#heard.await, patience)
      if (heard._tag === "None" && !this.#hasWarned) {
        this.#hasWarned = true
        yield* Effect.logWarning(deaf)
      }
      return heard._tag === "Some"
    })
  }
}
