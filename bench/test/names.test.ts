import { expect, it } from "vitest"
import { complainOfUnknown, find, select } from "../src/names.ts"

const all = ["ingest/postgres/1x1", "ingest/postgres/1x10", "fanout/20"].map((name) => ({ name }))
const namesOf = (only: ReadonlyArray<string>) => select(all, only).map(({ name }) => name)

it("selects by whole parts of names, and each once", () => {
  expect(namesOf(["ingest/postgres/1x1"])).toEqual(["ingest/postgres/1x1"])
  expect(namesOf(["ingest", "ingest/postgres"])).toEqual(["ingest/postgres/1x1", "ingest/postgres/1x10"])
  expect(namesOf(["ing"])).toEqual([])
})

it("selects everything when nothing is asked for", () => {
  expect(namesOf([])).toHaveLength(all.length)
})

it("complains of each beginning that is none, though others are", () => {
  expect(complainOfUnknown(all, ["fanout", "ingest/redis", "fan"])?.split("\n")).toEqual([
    ...["Nothing begins with ingest/redis", "Nothing begins with fan", "There is:"],
    ...["  ingest/postgres/1x1", "  ingest/postgres/1x10", "  fanout/20"]
  ])
})

it("has nothing to complain of when all are known", () => {
  expect(complainOfUnknown(all, ["fanout", "ingest/postgres"])).toBeUndefined()
  expect(complainOfUnknown(all, [])).toBeUndefined()
})

it("finds what runs on request by any beginning, and selects it by its whole name only", () => {
  const some = [...all, { name: "fanout/20/long", onRequest: true }]
  expect(find(some, ["fanout"])).toHaveLength(2)
  expect(find(some, [])).toHaveLength(4)
  expect(select(some, [])).toEqual(all)
  expect(select(some, ["fanout"])).toEqual([{ name: "fanout/20" }])
  expect(select(some, ["ingest", "fanout/20/long"])).toHaveLength(3)
})
