import { makeEntry } from "@eventlog-server/testkit/schema"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { TodoEvent } from "../src/schema.ts"
import { TodoList } from "../src/TodoList.ts"

type Written = readonly [event: TodoEvent, entryId: string]

const entryId = (msecs: number) => makeEntry({ msecs }).idString

const write = (events: ReadonlyArray<TodoEvent>): ReadonlyArray<Written> =>
  events.map((event, index) => [event, entryId(index)])

const listOf = (written: ReadonlyArray<Written>) => {
  const list = new TodoList()
  for (const [event, id] of written) list.apply(event, id)
  return list.items()
}

const id = fc.constantFrom("a", "b", "c")
const event: fc.Arbitrary<TodoEvent> = fc.oneof(
  fc.record({ event: fc.constant("TodoAdded" as const), payload: fc.record({ id, text: fc.string() }) }),
  fc.record({ event: fc.constant("TodoRenamed" as const), payload: fc.record({ id, text: fc.string() }) }),
  fc.record({ event: fc.constant("TodoToggled" as const), payload: fc.record({ id, done: fc.boolean() }) }),
  fc.record({ event: fc.constant("TodoRemoved" as const), payload: fc.record({ id }) })
)

describe("TodoList", () => {
  it("takes events in", () => {
    const written = write([
      { event: "TodoAdded", payload: { id: "a", text: "Milk" } },
      { event: "TodoAdded", payload: { id: "b", text: "Bread" } },
      { event: "TodoRenamed", payload: { id: "a", text: "Oat milk" } },
      { event: "TodoToggled", payload: { id: "a", done: true } },
      { event: "TodoAdded", payload: { id: "c", text: "Rice" } },
      { event: "TodoRemoved", payload: { id: "b" } },
      { event: "TodoRenamed", payload: { id: "never added", text: "?" } }
    ])
    expect(listOf(written)).toEqual([
      { id: "a", text: "Oat milk", done: true },
      { id: "c", text: "Rice", done: false }
    ])
  })

  it("comes to the same list in whichever order events arrive, and however often", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 12 }), fc.infiniteStream(fc.nat()), (events, random) => {
        const written = write(events)
        const twice = [...written, ...written]
        const shuffled = twice
          .map((item) => ({ item, order: random.next().value as number }))
          .sort((a, b) => a.order - b.order)
          .map(({ item }) => item)
        expect(listOf(shuffled)).toEqual(listOf(written))
      })
    )
  })
})
