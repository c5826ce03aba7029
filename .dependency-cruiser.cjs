/**
 * The arrows of the house. In core every room may reach the rooms before it, `backend/` and `wire/`; packages reach each
 * other through their published entry points only.
 */

const core = "^packages/core/src"

/**
 * The rooms that data flows through, how what the app hands over is checked, how they are traced, how callbacks of the app are kept from harming them, and how they
 * notice that the storage lost something. A connection, where data comes in and goes out, calls those before it. Protocols are siblings: none knows another.
 */
const flow = [
  "options",
  "tracing",
  "containment",
  "continuity",
  "ingest",
  "feed",
  "compaction",
  "processing",
  "connection"
]
const protocols = ["protocols/eventlog", "protocols/rpc"]

/** What each room may import besides itself. */
const rooms = {
  backend: [],
  // The error table of wire/ names the errors of backend/.
  wire: ["backend"],
  ...Object.fromEntries(flow.map((room, index) => [room, ["backend", "wire", ...flow.slice(0, index)]])),
  ...Object.fromEntries(protocols.map((room) => [room, ["backend", "wire", ...flow]])),
  server: ["backend", "wire", ...flow, ...protocols],
  client: ["wire"],
  evolution: [],
  journal: ["backend", "wire"],
  memory: ["backend", "wire"],
  conformance: ["backend", "wire", "connection", "index.ts", "effect.ts", "adapter.ts", "client/index.ts"]
}

/** A folder of core, or one of its entry points. */
const place = (name) => `${core}/${name.endsWith(".ts") ? `${name.replace(".", "\\.")}$` : `${name}/`}`

const roomRules = Object.entries(rooms).map(([room, allowed]) => ({
  name: `room-${room}`,
  comment: `${room}/ imports ${allowed.length === 0 ? "no other room" : `only ${allowed.join(", ")}`}`,
  severity: "error",
  // What storages share is published as one entry point, wherever it stands.
  from: { path: place(room), pathNot: `${core}/backend/index\\.ts$` },
  to: {
    path: `${core}/`,
    pathNot: [room, ...allowed].map(place)
  }
}))

module.exports = {
  forbidden: [
    ...roomRules,
    {
      name: "wire-takes-types-of-backend",
      comment: "wire/ ships to browsers with the client: of backend/ it may only use types",
      severity: "error",
      from: { path: place("wire") },
      to: { path: place("backend"), dependencyTypesNot: ["type-only"] }
    },
    {
      name: "no-unknown-room",
      comment: "a new folder in core needs its place in this file",
      severity: "error",
      from: { path: `${core}/`, pathNot: [`${core}/(index|effect|adapter)\\.ts$`, ...Object.keys(rooms).map(place)] },
      to: {}
    },
    {
      name: "no-node-in-core",
      comment: "core and adapter-hono run on any runtime",
      severity: "error",
      from: { path: "^packages/(core|adapter-hono)/src/" },
      to: { dependencyTypes: ["core"] }
    },
    {
      name: "public-entry-points",
      comment: "a package is imported by its name, so by what it publishes",
      severity: "error",
      from: { path: "^((?:packages|examples)/[^/]+|docs|torture)/" },
      to: {
        path: "^(packages|examples)/[^/]+/",
        pathNot: "^$1/",
        dependencyTypesNot: ["aliased-tsconfig", "aliased-workspace"]
      }
    },
    {
      name: "only-core-is-shared",
      comment: "adapters and storages stand on core and on nothing of each other",
      severity: "error",
      from: { path: "^packages/([^/]+)/src/" },
      to: { path: "^packages/[^/]+/", pathNot: ["^packages/$1/", "^packages/core/"] }
    },
    {
      name: "no-dev-dependency-in-src",
      comment: "what ships may only import what its package.json promises",
      severity: "error",
      from: { path: "^packages/[^/]+/src/" },
      to: {
        dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"],
        dependencyTypesNot: ["npm", "npm-peer"]
      }
    },
    {
      name: "src-without-tests",
      comment: "tests may use sources, not the other way",
      severity: "error",
      from: { path: "^(packages|examples)/[^/]+/src/" },
      to: { path: "^(packages|examples)/[^/]+/test/" }
    },
    {
      name: "testkit-for-tests",
      comment: "only tests, torture and benchmarks use the testkit, so nothing that ships does",
      severity: "error",
      from: { path: "^(packages|examples)/", pathNot: ["^packages/testkit/", "^(packages|examples)/[^/]+/test/"] },
      to: { path: "^packages/testkit/" }
    },
    {
      name: "independent-oracle",
      comment: "what judges the system must not share its mistakes",
      severity: "error",
      from: { path: "^torture/src/oracle/" },
      to: { pathNot: "^torture/src/oracle/" }
    },
    {
      name: "independent-device",
      comment: "the device that the oracle listens to must not share mistakes with those of the tests",
      severity: "error",
      from: { path: "^torture/src/simulation/device\\.ts$" },
      to: { path: "^packages/testkit/" }
    },
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } }
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(packages|examples)/[^/]+/(dist|coverage|node_modules)/" },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types", "node", "default"] }
  }
}
