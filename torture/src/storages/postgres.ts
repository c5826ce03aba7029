import { PostgresCluster } from "./PostgresCluster.ts"
import type { OpenStorage } from "./storage.ts"

/** A PostgreSQL of its own. */
export const openPostgres: OpenStorage = async () => {
  const cluster = await PostgresCluster.start()
  return {
    address: cluster.address,
    isDurable: true,
    faults: [
      { name: "PostgreSQL killed", weight: 1.5, excuses: true, run: (force) => cluster.crash(force * 2_000) },
      { name: "PostgreSQL replaced by its replica", weight: 1, excuses: true, run: () => cluster.failOver() },
      {
        name: "PostgreSQL connections killed",
        weight: 3,
        excuses: true,
        run: () => cluster.endConnections("backend_type = 'client backend'")
      },
      {
        name: "LISTEN killed",
        weight: 3,
        excuses: true,
        run: () => cluster.endConnections("query ilike 'listen%'")
      }
    ],
    close: cluster.close
  }
}
