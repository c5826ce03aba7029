import { Context, Effect, Exit, Layer, Scope } from "effect"
import { afterAll, beforeAll, describe, it } from "vitest"
import type { BackendServices } from "../backend/Backend.ts"
import { EventLogServerStoreRegistry } from "../backend/EventLogServerStoreRegistry.ts"
import { FeedAdmin } from "../backend/FeedAdmin.ts"
import { FeedStore } from "../backend/FeedStore.ts"
import { StoreProgress } from "../backend/StoreProgress.ts"
import {
  BackendAwayError,
  type BackendHarness,
  type BackendSuiteOptions,
  type Node,
  type Nodes,
  type Skip
} from "./harness.ts"

/** A capability of the harness that a test can't do without. */
export type Capability = "expireLease" | "loseTail" | "outage"

/** Declares a test of a topic. */
export type Check = (
  title: string,
  test: (nodes: Nodes) => Effect.Effect<unknown, unknown, Scope.Scope>,
  needs?: Capability
) => void

/** Declares the tests of one topic. */
export type Topic = (check: Check) => void

/** The topics of a port, by name. */
export type Topics = Readonly<Record<string, Topic>>

interface Opened {
  readonly nodes: Nodes
  readonly harness: BackendHarness
  readonly scope: Scope.Closeable
}

const testTimeout = 60_000

const buildNode = (layer: Layer.Layer<BackendServices>, scope: Scope.Scope): Promise<Node> =>
  // Without a memo map of its own the second build of one layer would be the first one again.
  Effect.runPromise(
    Effect.map(Layer.buildWithMemoMap(layer, Layer.makeMemoMapUnsafe(), scope), (services) => ({
      services,
      feeds: Context.get(services, FeedStore),
      admin: Context.get(services, FeedAdmin),
      progress: Context.get(services, StoreProgress),
      registry: Context.get(services, EventLogServerStoreRegistry)
    }))
  )

const open = async (options: BackendSuiteOptions): Promise<Opened> => {
  const harness = await options.backend()
  const scope = Scope.makeUnsafe()
  const node = await buildNode(harness.layer, scope)
  const peer = await buildNode(harness.peer ?? harness.layer, scope)
  const { expireLease, loseTail, outage } = harness
  return { nodes: { node, peer, expireLease, loseTail, outage, scale: options.scale ?? 1 }, harness, scope }
}

/** Opens the backend, or answers that it is away where it may be. */
const tryOpen = (options: BackendSuiteOptions): Promise<Opened | BackendAwayError> =>
  open(options).catch((error: unknown) => {
    if (options.mayBeAway && error instanceof BackendAwayError) return error
    throw error
  })

const close = async ({ harness, scope }: Opened): Promise<void> => {
  await Effect.runPromise(Scope.close(scope, Exit.void))
  await harness.close?.()
}

/** The nodes for a test, or why it can't run. */
const nodesFor = (opened: Opened | BackendAwayError | undefined, needs: Capability | undefined): Nodes | string => {
  if (opened === undefined) throw new Error("The backend is not open")
  if (opened instanceof BackendAwayError) return opened.message
  return needs === undefined || opened.nodes[needs] !== undefined ? opened.nodes : `the harness has no ${needs}`
}

interface Declared {
  readonly title: string
  readonly test: Parameters<Check>[1]
  readonly needs: Capability | undefined
  readonly skipped: string | undefined
}

interface DeclaredTopic {
  readonly port: string
  readonly name: string
  readonly tests: ReadonlyArray<Declared>
}

/** Every topic with its tests, before vitest hears of any: a name that is to be skipped must be among them. */
const declareTopics = (
  ports: Readonly<Record<string, Topics>>,
  skip: ReadonlyArray<Skip> = []
): ReadonlyArray<DeclaredTopic> => {
  const reasons = new Map(skip.map(({ reason, test }) => [test, reason]))
  const declared = Object.entries(ports).flatMap(([port, topics]) =>
    Object.entries(topics).map(([name, topic]) => {
      const tests: Array<Declared> = []
      topic((title, test, needs) => {
        const key = `${name}: ${title}`
        tests.push({ title, test, needs, skipped: reasons.get(key) })
        reasons.delete(key)
      })
      return { port, name, tests }
    })
  )
  for (const test of reasons.keys()) throw new Error(`No test is called "${test}"`)
  return declared
}

/** Declares the suites of one or more ports for a backend, each topic in a `describe` of its own. */
export const declareSuites = (
  name: string,
  ports: Readonly<Record<string, Topics>>,
  options: BackendSuiteOptions
): void => {
  const declared = declareTopics(ports, options.skip)
  describe(name, () => {
    let opened: Opened | BackendAwayError | undefined
    beforeAll(async () => {
      opened = await tryOpen(options)
    }, testTimeout)
    afterAll(async () => {
      if (opened !== undefined && "nodes" in opened) await close(opened)
    }, testTimeout)

    const run = ({ needs, skipped, test, title }: Declared): void =>
      it(title, { timeout: testTimeout }, async (context) => {
        const nodes = skipped ?? nodesFor(opened, needs)
        if (typeof nodes === "string") return context.skip(nodes)
        await Effect.runPromise(Effect.scoped(test(nodes)))
      })

    for (const port of Object.keys(ports)) {
      describe(port, () => {
        for (const topic of declared.filter((topic) => topic.port === port)) {
          describe(topic.name, () => topic.tests.forEach(run))
        }
      })
    }
  })
}
