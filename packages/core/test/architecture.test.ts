import { readdirSync, readFileSync } from "node:fs"
import { type Profiler, Session } from "node:inspector"
import { fileURLToPath } from "node:url"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { expect } from "vitest"
import { makeScene, storeId } from "./connection/harness.ts"
import { makeSigningKey } from "./server/device.ts"
import { todoAdded } from "./server/todos.ts"

const sources = fileURLToPath(new URL("../src/", import.meta.url))
const page = readFileSync(new URL("../../../docs/architecture.md", import.meta.url), "utf8")

/** The files of core that a section of the page lists. */
const listed = (heading: string): ReadonlyArray<string> => {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? ""
  return [...section.matchAll(/^\d+\. \[`([^`]+)`\]/gm)].map(([, file]) => file!).sort()
}

/** Storage is no way of core's, and what is traced crosses nothing. */
const isOnTheWay = (file: string): boolean => !/^(memory|tracing)\//.test(file)

const isCalled = ({ functionName, ranges }: Profiler.FunctionCoverage): boolean =>
  functionName !== "" && ranges[0]!.count > 0

/** Tells, by what the engine itself counts, in which files something was called since it was last asked. */
const observing = Effect.acquireRelease(
  Effect.sync(() => {
    const session = new Session()
    session.connect()
    session.post("Profiler.enable")
    session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false })
    let scripts: ReadonlyArray<Profiler.ScriptCoverage> = []
    const look = (): ReadonlyArray<string> => {
      // On its own thread a session does what it is told before this returns.
      session.post("Profiler.takePreciseCoverage", (_, { result }) => {
        scripts = result
      })
      return scripts
        .filter(({ functions }) => functions.some(isCalled))
        .map(({ url }) => url.replace(/^file:\/\//, ""))
        .filter((path) => path.startsWith(sources))
        .map((path) => path.slice(sources.length))
        .filter(isOnTheWay)
        .sort()
    }
    return { look, end: () => session.disconnect() }
  }),
  ({ end }) => Effect.sync(end)
)

describe("docs/architecture.md", () => {
  it("lists the rooms that there are", () => {
    const rooms = readdirSync(sources, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name }) =>
        name === "protocols" ? readdirSync(`${sources}${name}`).map((protocol) => `${name}/${protocol}`) : [name]
      )
    const documented = [...page.matchAll(/^\| `([^`]+)` +\|/gm)].map(([, room]) => room!)
    expect(documented.sort()).toEqual(rooms.sort())
  })

  it.effect("lists the files that a write crosses, and no other, and those of its delivery and its handling", () =>
    Effect.gen(function* () {
      const { look } = yield* observing
      let onAdded = () => {}
      const scene = yield* makeScene({ sessionAuth: "required", onAdded: () => onAdded() })
      const [key, readerKey] = [makeSigningKey(), makeSigningKey()]
      yield* scene.server.assign({ publicKey: "B", storeId })
      const [writer, reader] = [scene.connect(), scene.connect({ bufferedBytes: () => 0 })]
      yield* Effect.forEach([writer, reader], (wire) => wire.nth("Hello"))
      yield* writer.prove("A", key)
      yield* reader.prove("B", readerKey)
      yield* reader.answer(reader.subscribe(0, "B"))
      /** Everything that a write sets going has come to rest. */
      const write = Effect.fnUntraced(function* (sequence: number) {
        const frame = writer.encoded([todoAdded(`${sequence}`)])
        look()
        writer.frame(frame)
        yield* reader.until(() => reader.sequences.includes(sequence) || undefined)
        yield* scene.server.processed({ storeId, sequence })
        yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      })
      // Once before, for what is done the first time only.
      yield* write(1)
      const seen: Record<string, ReadonlyArray<string>> = {}
      const sees = (way: string) => {
        seen[way] ??= look()
      }
      const [toWriter, toReader] = [writer.send, reader.send]
      const seeing = (way: string, send: (frame: Uint8Array) => void) => (frame: Uint8Array) => {
        sees(way)
        send(frame)
      }
      Object.assign(writer, { send: seeing("A write", toWriter) })
      yield* write(2)
      Object.assign(writer, {
        send: (frame: Uint8Array) => {
          toWriter(frame)
          look()
        }
      })
      Object.assign(reader, { send: seeing("A delivery", toReader) })
      yield* write(3)
      Object.assign(reader, { send: toReader })
      onAdded = () => sees("A handling")
      yield* write(4)

      expect(seen["A write"]).toEqual(listed("A write"))
      expect(seen["A write"]!.length).toBeLessThan(14)
      // The two run beside each other, so that more than the one was called when the other ended.
      for (const way of ["A delivery", "A handling"]) {
        expect(listed(way).length).toBeGreaterThan(5)
        expect(seen[way]).toEqual(expect.arrayContaining([...listed(way)]))
      }
    })
  )
})
