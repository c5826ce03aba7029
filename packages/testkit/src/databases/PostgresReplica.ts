import { setTimeout as sleep } from "node:timers/promises"
import type { OwnDatabase } from "./ownDatabase.ts"
import { startPostgresReplica } from "./ownPostgres.ts"
import { withPostgres } from "./postgres.ts"

type Row = Record<string, unknown>

const rowsOf = (url: string, statement: string): Promise<ReadonlyArray<Row>> =>
  withPostgres(url, async (client) => (await client.query<Row>(statement)).rows)

const untilSome = async (url: string, statement: string): Promise<void> => {
  while ((await rowsOf(url, statement)).length === 0) await sleep(20)
}

/** A replica that follows a PostgreSQL, and may take its place. */
export class PostgresReplica {
  readonly database: OwnDatabase
  readonly #primary: OwnDatabase
  #frozen: number | undefined

  private constructor(database: OwnDatabase, primary: OwnDatabase) {
    this.database = database
    this.#primary = primary
  }

  /** Starts a replica, and waits until it follows. */
  static async start(primary: OwnDatabase): Promise<PostgresReplica> {
    const replica = new PostgresReplica(await startPostgresReplica(primary), primary)
    await untilSome(primary.url, "select 1 from pg_stat_replication where state = 'streaming'")
    return replica
  }

  /** From now on the primary acks no commit that the replica doesn't have. */
  async beSynchronous(): Promise<void> {
    await rowsOf(this.#primary.url, "alter system set synchronous_standby_names = '*'")
    await rowsOf(this.#primary.url, "select pg_reload_conf()")
    await untilSome(this.#primary.url, "select 1 from pg_stat_replication where sync_state = 'sync'")
    // Commits wait once the checkpointer has read the setting, which it does before a checkpoint at the latest.
    await rowsOf(this.#primary.url, "checkpoint")
  }

  /** Lets it have what was committed so far, and nothing of what comes. */
  async freeze(): Promise<void> {
    const [now] = await rowsOf(this.#primary.url, "select pg_current_wal_lsn() as position")
    await untilSome(this.#primary.url, `select 1 from pg_stat_replication where replay_lsn >= '${now!.position}'`)
    const [receiver] = await rowsOf(this.database.url, "select pid from pg_stat_wal_receiver")
    this.#frozen = receiver!.pid as number
    process.kill(this.#frozen, "SIGSTOP")
  }

  /** The primary crashes, and the replica takes its place. */
  async takeOver(): Promise<void> {
    await this.#primary.process.crash()
    if (this.#frozen !== undefined) {
      // It ends as soon as it goes on, before it reads what the primary had sent meanwhile.
      process.kill(this.#frozen, "SIGTERM")
      process.kill(this.#frozen, "SIGCONT")
    }
    await rowsOf(this.database.url, "select pg_promote()")
    await untilSome(this.database.url, "select 1 where not pg_is_in_recovery()")
  }
}
