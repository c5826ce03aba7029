import { type OwnDatabase, PostgresReplica, startPostgres, withPostgres } from "@eventlog-server/testkit/databases"
import { TcpProxy, targetOf } from "@eventlog-server/testkit/network"
import { crash } from "./troubles.ts"

const ignore = () => {}

/** A PostgreSQL behind an address that stays the same when another takes its place. */
export class PostgresCluster {
  readonly #proxy: TcpProxy
  #primary: OwnDatabase

  private constructor(primary: OwnDatabase, proxy: TcpProxy) {
    this.#primary = primary
    this.#proxy = proxy
  }

  /** Starts a primary, alone. */
  static async start(): Promise<PostgresCluster> {
    const primary = await startPostgres()
    return new PostgresCluster(primary, await TcpProxy.open(targetOf(primary.url)))
  }

  /** Where servers find whichever is the primary. */
  get address(): string {
    return this.#proxy.through(this.#primary.url)
  }

  /** The primary crashes, and starts again after a while. */
  crash(millis: number): Promise<void> {
    return crash(this.#primary.process, millis)
  }

  /** Ends connections for which a condition on `pg_stat_activity` holds. */
  endConnections(condition: string): Promise<void> {
    const statement = `select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and ${condition}`
    return withPostgres(this.#primary.url, (client) => client.query(statement)).then(ignore, ignore)
  }

  /** The primary crashes for good, under load, and a replica that has every commit that was acked takes its place. */
  async failOver(): Promise<void> {
    const crashed = this.#primary
    const replica = await PostgresReplica.start(crashed)
    await replica.beSynchronous()
    await replica.takeOver()
    this.#primary = replica.database
    this.#proxy.lead(targetOf(replica.database.url))
    await crashed.remove()
  }

  /** Ends it, and removes what it kept. */
  readonly close = async (): Promise<void> => {
    await this.#proxy.close()
    await this.#primary.remove()
  }
}
