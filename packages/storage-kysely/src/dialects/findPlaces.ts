import { sql } from "kysely"
import type { Dialect, PlaceRow } from "./Dialect.ts"

/** `Dialect.findPlaces` where `forEachProbe` takes any select. */
export const findPlacesBy =
  (forEachProbe: Dialect["forEachProbe"]): Dialect["findPlaces"] =>
  (_entries, _store, probes, select) =>
    forEachProbe(probes, (probe) => select(probe, sql<PlaceRow>`${probe.index} as probe, sequence, entry_id, bytes`))
