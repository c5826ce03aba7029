import { readdirSync, readFileSync } from "node:fs"
import { type Profiler, Session } from "node:inspector"
import { fileURLToPath } from "node:url"
import { describe, it } from "@effect/vitest"
import { todoAdded } from "@eventlog-server/testkit/schema"
import { makeSigningKey } from "@eventlog-server/testkit/signing"
import { Context, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { expect } from "vitest"
import { FeedStore } from "../src/backend/FeedStore.ts"
import { pauseMillis } from "../src/feed/News.ts"
import { Ingest, layerIngest } from "../src/ingest/ingest.ts"
import { defaultLimits } from "../src/wire/limits.ts"
import { makeScene, storeId } from "./connection/harness.ts"
import { handlersOf, makeBackend, setRecord, startNode } from "./processing/harness.ts"

const sources = fileURLToPath(new URL("../src/", import.meta.url))
const page = readFileSync(new URL("../../../docs/architecture.md", import.meta.url), "utf8")

/** The files of core that a section of the page lists. */
const listed = (heading: string): ReadonlyArray<string> => {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? ""
  return [...section.matchAll(/^\d+\. \[`([^`]+)`\]/gm)].map(([, file]) => file!).sort()
}

/** Storage, with what storages share and what guards it, is no way of core's, and what is traced crosses nothing. */
const isOnTheWay = (file: string): boolean => !/^(backend|continuity|memory|tracing)\//.test(file)

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

  it.effect("lists the files that a write crosses, and no other, and those of its delivery", () =>
    Effect.gen(function* () {
      const { look } = yield* observing
      const scene = yield* makeScene({ sessionAuth: "required" })
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
        yield* TestClock.adjust(pauseMillis)
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

      expect(seen["A write"]).toEqual(listed("A write"))
      expect(seen["A write"]!.length).toBeLessThan(14)
      // Handlers run beside it, so that more was called when it ended.
      expect(listed("A delivery").length).toBeGreaterThan(5)
      expect(seen["A delivery"]).toEqual(expect.arrayContaining([...listed("A delivery")]))
    })
  )

  it.effect("lists the files that a handling crosses, and no other", () =>
    Effect.gen(function* () {
      const { look } = yield* observing
      const backend = yield* makeBackend
      let onHandled = () => {}
      const handlers = handlersOf(() => Effect.sync(() => onHandled()))
      const node = yield* startNode(backend.services, handlers)
      const ingest = yield* Layer.build(
        layerIngest(defaultLimits, (committed) => {
          look()
          node.processing.notify(committed)
        })
      ).pipe(
        Effect.map((built) => Context.get(built, Ingest)),
        Effect.provideService(FeedStore, backend.feeds)
      )
      let seen: ReadonlyArray<string> = []
      /** Writes an entry, and waits until everything that it set going has come to rest. */
      const write = Effect.fnUntraced(function* (sequence: number) {
        const { author, entry } = setRecord(sequence)
        ingest.submit({ storeId, author, entries: [entry], transportOnly: false }, () => {})
        yield* node.processing.processed(storeId, sequence)
        yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      })
      yield* write(1)
      onHandled = () => {
        // The append that told of the commit comes to its end meanwhile.
        seen = look().filter((file) => file !== "ingest/appendQueue.ts")
      }
      yield* write(2)
      expect(seen).toEqual(listed("A handling"))
      expect(seen.length).toBeLessThan(8)
    })
  )
})
