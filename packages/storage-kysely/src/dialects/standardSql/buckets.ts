import { sql } from "kysely"
import type { Buckets } from "../Buckets.ts"
import type { PlaceRow } from "../Probe.ts"

/** `Buckets.findPlaces` where `forEachProbe` takes any select. */
export const findPlacesBy =
  (forEachProbe: Buckets["forEachProbe"]): Buckets["findPlaces"] =>
  (_entries, _store, probes, select) =>
    forEachProbe(probes, (probe) => select(probe, sql<PlaceRow>`${probe.index} as probe, sequence, entry_id, bytes`))

/** `Buckets.selectAt` where a list of keys is looked up in the primary key whatever the database knows of the table. */
export const selectAtList: Buckets["selectAt"] = (columns, entries, store, sequences) =>
  sql`select ${columns} from ${entries} where store = ${store} and sequence in (${sql.join(sequences)})`
