/**
 * Checks what would be published: packs every package, lints the tarballs with publint and attw, installs them beside
 * the lowest peer versions that they promise, imports every entry point as ESM and as CommonJS, compiles the README as it
 * stands, runs the conformance suites on the memory backend, and lets two of effect's own clients sync.
 *
 * Run it through npm (`npm run check:publish`), after a build.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { builtinModules, createRequire } from "node:module"
import { tmpdir } from "node:os"
import { basename, dirname, join, resolve } from "node:path"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { readSnippets } from "../docs/test/snippets.ts"

interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly exports: Readonly<Record<string, unknown>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

interface Packed {
  readonly manifest: Manifest
  readonly tarball: string
}

const root = resolve(import.meta.dirname, "..")
const require = createRequire(import.meta.url)

const npm = (cwd: string, ...args: ReadonlyArray<string>): string => {
  const cli = process.env.npm_execpath
  if (cli === undefined) throw new Error("Run this through npm: npm run check:publish")
  return execFileSync(process.execPath, [cli, ...args], { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })
}

const pack = (folder: string, destination: string): Packed => {
  const file = npm(folder, "pack", "--silent", "--pack-destination", destination).trim()
  return {
    manifest: JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest,
    tarball: join(destination, file)
  }
}

/** A package that is still being built is private. */
const isPublished = (path: string): boolean =>
  (JSON.parse(readFileSync(join(path, "package.json"), "utf8")) as Manifest).private !== true

/** Runs a program of Node; what it printed only matters when it fails. */
const run = (cwd: string, ...args: ReadonlyArray<string>): void => {
  const { status, stderr, stdout } = spawnSync(process.execPath, args, { cwd, encoding: "utf8" })
  if (status !== 0) throw new Error(`${args.join(" ")} failed:\n${stdout}${stderr}`)
}

/** An entry point without a `require` condition is ESM only: `conformance`, since vitest is. */
const hasCommonJs = (target: unknown): boolean => typeof target === "object" && target !== null && "require" in target

const entryPoints = ({ exports }: Manifest): ReadonlyArray<string> =>
  Object.keys(exports).filter((path) => path !== "./package.json")

const lint = async ({ manifest, tarball }: Packed): Promise<void> => {
  const bytes = Uint8Array.from(readFileSync(tarball))
  const { messages, pkg } = await publint({ pack: { tarball: bytes.buffer }, strict: true })
  if (messages.length > 0) {
    throw new Error(`publint, ${manifest.name}: ${messages.map((message) => formatMessage(message, pkg)).join("; ")}`)
  }
}

const checkTypes = ({ manifest, tarball }: Packed): void => {
  const attw = join(dirname(require.resolve("@arethetypeswrong/cli/package.json")), "dist/index.js")
  const profiles = { node16: hasCommonJs, "esm-only": (target: unknown) => !hasCommonJs(target) }
  for (const [profile, belongs] of Object.entries(profiles)) {
    const paths = entryPoints(manifest).filter((path) => belongs(manifest.exports[path]))
    if (paths.length === 0) continue
    const args = [attw, tarball, "--no-definitely-typed", "--no-emoji", "--profile", profile, "--entrypoints", ...paths]
    run(root, ...args)
  }
}

/** `>=4.0.6 <5` -> `4.0.6`: what the range promises to work with. */
const lowest = (range: string): string => {
  const version = /^>=(\d+(?:\.\d+)*)/.exec(range)?.[1]
  if (version === undefined) throw new Error(`A peer range must start with its lowest version: ${range}`)
  return version.split(".").concat("0", "0").slice(0, 3).join(".")
}

const installTogether = (packages: ReadonlyArray<Packed>, folder: string): void => {
  const names = new Set(packages.map(({ manifest }) => manifest.name))
  const peers = packages
    .flatMap(({ manifest }) => Object.entries(manifest.peerDependencies ?? {}))
    .filter(([name]) => !names.has(name))
    .map(([name, range]) => `${name}@${lowest(range)}`)
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }))
  const tarballs = packages.map(({ tarball }) => tarball)
  npm(folder, "install", "--silent", "--prefer-offline", "--ignore-scripts", ...tarballs, ...new Set(peers))
}

/**
 * CommonJS in several chunks is made by a transform that puts the right side of a `??` into a function, which takes a `yield`
 * out of its generator: in sloppy code that is a multiplication, and nothing says so.
 */
const refuseLostYields = (packages: ReadonlyArray<Packed>, folder: string): void => {
  for (const { manifest } of packages) {
    const dist = join(folder, "node_modules", manifest.name, "dist")
    for (const file of readdirSync(dist).filter((name) => name.endsWith(".cjs"))) {
      const lost = /\(\) => \( *\(*yield.*/.exec(readFileSync(join(dist, file), "utf8"))
      if (lost !== null)
        throw new Error(`${manifest.name}/dist/${file} has a yield in a function of its own: ${lost[0]}`)
    }
  }
}

const imported = /(?:\bfrom|\bimport|\brequire\()\s*["']([^"'./][^"']*)["']/g

/** Bundlers for Workers, Bun's and Deno know the modules of Node by `node:` only; by another name they are packages. */
const refuseBareBuiltins = (packages: ReadonlyArray<Packed>, folder: string): void => {
  for (const { manifest } of packages) {
    const dist = join(folder, "node_modules", manifest.name, "dist")
    for (const file of readdirSync(dist).filter((name) => /\.c?js$/.test(name))) {
      const bare = [...readFileSync(join(dist, file), "utf8").matchAll(imported)]
        .map(([, name = ""]) => name)
        .find((name) => !name.startsWith("node:") && builtinModules.includes(name))
      if (bare !== undefined) throw new Error(`${manifest.name}/dist/${file} imports "${bare}" without "node:"`)
    }
  }
}

/** Imports every entry point of the installed packages in both formats; what is ESM only needs vitest around it. */
const importAll = (packages: ReadonlyArray<Packed>, folder: string): number => {
  const ids = packages.flatMap(({ manifest }) =>
    entryPoints(manifest)
      .filter((path) => hasCommonJs(manifest.exports[path]))
      .map((path) => manifest.name + path.slice(1))
  )
  const program = `
    import { builtinModules, createRequire } from "node:module"
    const require = createRequire(import.meta.url)
    for (const id of ${JSON.stringify(ids)}) {
      for (const module of [await import(id), require(id)]) {
        if (Object.keys(module).length === 0) throw new Error(id + " exports nothing")
      }
    }`
  writeFileSync(join(folder, "imports.mjs"), program)
  run(folder, "imports.mjs")
  return ids.length
}

/** A development dependency of this repository, in its version. */
const pinned = (name: string): string => {
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly devDependencies: Readonly<Record<string, string>>
  }
  return `${name}@${devDependencies[name]}`
}

/** What the README says that it takes at least. */
const leastTypescript = "5.4"

/** The files of the README as they stand there, with the settings that `tsc --init` makes, and the least TypeScript. */
const compileReadme = (folder: string): void => {
  const app = join(folder, "app")
  mkdirSync(app)
  writeFileSync(join(app, "package.json"), JSON.stringify({ type: "module" }))
  for (const { file, text } of readSnippets("README.md")) writeFileSync(join(app, basename(file)), text)
  const types = ["@types/node", "@types/ws"].map(pinned)
  npm(folder, "install", "--silent", "--prefer-offline", ...types, `least-typescript@npm:typescript@${leastTypescript}`)
  const tsc = require.resolve("typescript/lib/tsc.js")
  run(app, tsc, "--init")
  run(app, tsc)
  run(app, "-e", 'import("./server.js").then(({ server }) => server.ready().then(server.close))')
  // The one setting that it doesn't know yet.
  const settings = readFileSync(join(app, "tsconfig.json"), "utf8").replace(/.*noUncheckedSideEffectImports.*/, "")
  writeFileSync(join(app, "tsconfig.json"), settings)
  run(app, join(folder, "node_modules/least-typescript/lib/tsc.js"), "--noEmit")
}

const runSuites = (folder: string): void => {
  const program = `
    import { memoryBackend } from "@eventlog-server/core"
    import { backendSuite } from "@eventlog-server/core/conformance"
    backendSuite("memory", { backend: () => memoryBackend() })`
  writeFileSync(join(folder, "suites.test.mjs"), program)
  run(folder, "node_modules/vitest/vitest.mjs", "run")
}

/** Two of effect's own clients, of the lowest effect: one on a Fastify app, one on a Hono app, with one backend. */
const syncStockClients = (folder: string): void => {
  const program = `
    import { allowAll, createEventLogServer, memoryBackend } from "@eventlog-server/core"
    import { generateIdentity } from "@eventlog-server/core/client"
    import { eventLogPlugin } from "@eventlog-server/adapter-fastify"
    import { eventLog } from "@eventlog-server/adapter-hono"
    import { webSocketServer } from "@eventlog-server/adapter-hono/node"
    import { createAdaptorServer, upgradeWebSocket } from "@hono/node-server"
    import { Effect, Layer, Schema } from "effect"
    import { EventGroup, EventJournal, EventLog, EventLogRemote } from "effect/eventlog"
    import { RpcClient, RpcSerialization } from "effect/rpc"
    import { Socket } from "effect/socket"
    import Fastify from "fastify"
    import { Hono } from "hono"
    import { once } from "node:events"
    import { WebSocket } from "ws"

    const Notes = EventGroup.empty.add({ tag: "Noted", primaryKey: (text) => text, payload: Schema.String })
    const schema = EventLog.schema(Notes)
    const backend = memoryBackend()
    const createServer = () =>
      createEventLogServer({ schema, handlers: { Noted: () => {} }, backend, auth: allowAll, enroll: () => "store" })
    const startFastify = async () => {
      const app = Fastify()
      await app.register(eventLogPlugin, { server: createServer() })
      await app.listen({ host: "127.0.0.1", port: 0 })
      return app.server.address().port
    }
    const startHono = async () => {
      const server = createServer()
      const app = new Hono().route("/eventlog", eventLog({ server, upgradeWebSocket }))
      const websocket = { server: webSocketServer(server) }
      const http = createAdaptorServer({ fetch: app.fetch, websocket })
      http.listen(0, "127.0.0.1")
      await once(http, "listening")
      return http.address().port
    }
    const ports = [await startFastify(), await startHono()]

    const openDevice = (port) =>
      Effect.gen(function* () {
        const journal = yield* EventJournal.makeMemory
        const seen = []
        const app = EventLogRemote.layerUnencrypted.pipe(
          Layer.provide(RpcClient.layerProtocolSocket({ retryTransientErrors: true })),
          Layer.provide(RpcSerialization.layerSchemaBinary()),
          Layer.provide(Socket.layerWebSocket("ws://127.0.0.1:" + port + "/eventlog/rpc")),
          Layer.provide(Layer.succeed(Socket.WebSocketConstructor, (url) => new WebSocket(url))),
          Layer.provideMerge(EventLog.layer(schema, EventLog.group(Notes, (_) =>
            _.handle("Noted", ({ payload }) => Effect.sync(() => seen.push(payload)))))),
          Layer.provide([
            Layer.succeed(EventJournal.EventJournal, journal),
            Layer.succeed(EventLog.Identity, yield* generateIdentity)
          ])
        )
        const context = yield* Layer.build(app)
        const note = (payload) =>
          Effect.provide(EventLog.EventLog.use((log) => log.write({ schema, event: "Noted", payload })), context)
        return { note, seen }
      })

    await Effect.gen(function* () {
      const [a, b] = [yield* openDevice(ports[0]), yield* openDevice(ports[1])]
      yield* a.note("from a")
      yield* b.note("from b")
      while (a.seen.length < 2 || b.seen.length < 2) yield* Effect.sleep(5)
    }).pipe(Effect.scoped, Effect.timeout("60 seconds"), Effect.runPromise)
    process.exit(0)`
  writeFileSync(join(folder, "stock.mjs"), program)
  run(folder, "stock.mjs")
}

const folder = mkdtempSync(join(tmpdir(), "eventlog-publish-"))
try {
  const packages = readdirSync(join(root, "packages"))
    .map((name) => join(root, "packages", name))
    .filter(isPublished)
    .map((path) => pack(path, folder))
  for (const packed of packages) {
    await lint(packed)
    checkTypes(packed)
  }
  installTogether(packages, folder)
  refuseLostYields(packages, folder)
  refuseBareBuiltins(packages, folder)
  const imported = importAll(packages, folder)
  compileReadme(folder)
  runSuites(folder)
  syncStockClients(folder)
  console.log(`${packages.length} packages with ${imported} entry points in two formats are fit to publish`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
