import { setTimeout as sleep } from "node:timers/promises"
import { TcpProxy } from "../network/TcpProxy.ts"
import { targetOf } from "../network/target.ts"
import type { OwnDatabase } from "./ownDatabase.ts"
import { startPostgresReplica } from "./ownPostgres.ts"
import { withPostgres } from "./postgres.ts"

type Row = Record<string, unknown>

const rowsOf = (url: string, statement: string): Promise<ReadonlyArray<Row>> =>
  withPostgres(url, async (client) => (await client.query<Row>(statement)).rows)

const untilSome = async (url: string, statement: string): Promise<void> => {
  while ((await rowsOf(url, statement)).length === 0) await sleep(20)
}

/** A replica that follows a PostgreSQL, by a way that can be cut, and may take its place. */
export class PostgresReplica {
  readonly database: OwnDatabase
  readonly #primary: OwnDatabase
  readonly #way: TcpProxy

  private constructor(database: OwnDatabase, primary: OwnDatabase, way: TcpProxy) {
    this.database = database
    this.#primary = primary
    this.#way = way
  }

  /** Starts a replica, and waits until it follows. */
  static async start(primary: OwnDatabase): Promise<PostgresReplica> {
    const way = await TcpProxy.open(targetOf(primary.url))
    const replica = new PostgresReplica(await startPostgresReplica(way.through(primary.url)), primary, way)
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
    await this.#way.begin()
  }

  /** The primary crashes, and the replica takes its place, with what had reached it. */
  async takeOver(): Promise<void> {
    await this.#primary.process.crash()
    await this.#way.close()
    await rowsOf(this.database.url, "select pg_promote()")
    await untilSome(this.database.url, "select 1 where not pg_is_in_recovery()")
  }

  /** Ends it where it hasn't taken over, and removes what it kept. */
  readonly remove = async (): Promise<void> => {
    await this.database.remove()
    await this.#way.close()
  }
}
