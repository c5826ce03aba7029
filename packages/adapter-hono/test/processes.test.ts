import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { type AdapterSkip, adapterSuite } from "@eventlog-server/core/conformance"
import { afterAll, beforeAll, describe } from "vitest"
import { buildProcesses, RuntimeProcess } from "./processes/mountIn.ts"

const require = createRequire(import.meta.url)
const folderOf = (name: string) => dirname(require.resolve(`${name}/package.json`))

let folder: URL
beforeAll(async () => {
  folder = await buildProcesses()
}, 60_000)

/** The suite of adapters, for apps in a process of the runtime. What is queued there can't be asked for in the same turn. */
const suiteIn = (name: string, runtime: ReadonlyArray<string>, skip: ReadonlyArray<AdapterSkip> = []): void => {
  describe(name, () => {
    let process: RuntimeProcess
    beforeAll(async () => {
      const [program = "", ...args] = runtime
      process = await RuntimeProcess.start([program, ...args, fileURLToPath(new URL(`${name}.js`, folder))])
    }, 60_000)
    afterAll(() => process.stop())
    adapterSuite(`Hono on ${name}, in a process of its own`, (options) => process.mount(options), { skip })
  })
}

const firstOffered = "Hono selects the first subprotocol that is offered; a device offers ours alone"
const commaOnly = "Deno takes a list of subprotocols without spaces for one; a device offers ours alone"
const pipelined = "Bun refuses bytes that come before it has answered the upgrade; no websocket client may send any"
const noCode = "Deno gives up a peer that breaks the websocket protocol without telling it a code"

const told = (what: string) => `tells a client that sends a frame ${what}`

suiteIn("node", [process.execPath])

suiteIn(
  "bun",
  [join(folderOf("bun"), "bin/bun.exe")],
  [
    { test: "selects eventlog.v1 when it is offered after another", reason: firstOffered },
    {
      test: "selects nothing when only other versions are offered, which a client takes as a refusal",
      reason: firstOffered
    },
    { test: "loses no frame that arrives before the upgrade is answered", reason: pipelined },
    { test: told("that announces more bytes than any server takes so, by 1009"), reason: pipelined },
    { test: told("of no known type so, by 1002"), reason: pipelined },
    { test: told("that isn't masked so, by 1002"), reason: pipelined },
    { test: told("of text that isn't UTF-8 so, by 1007"), reason: pipelined },
    {
      test: "collects no endless message of tiny fragments",
      reason: "Bun bounds the bytes of a message, and not how many fragments it comes in"
    },
    {
      test: "ends a connection that doesn't answer the close when the server terminates it",
      reason: "Bun forgets a peer as soon as it closes it"
    }
  ]
)

suiteIn(
  "deno",
  [join(folderOf("deno"), "deno"), "run", "--allow-all"],
  [
    { test: "selects eventlog.v1 when it is offered after another", reason: commaOnly },
    { test: "selects eventlog.v1 when it is offered before another", reason: commaOnly },
    {
      test: "selects nothing when only other versions are offered, which a client takes as a refusal",
      reason: firstOffered
    },
    {
      test: "collects no pongs for a client that pings and never reads",
      reason: "Deno stops reading such a client, and goes on waiting for it"
    },
    {
      test: "collects no endless message of tiny fragments",
      reason: "Deno bounds the bytes of a message, and not how many fragments it comes in"
    },
    { test: "calls closed once when the client breaks the websocket protocol", reason: noCode },
    { test: told("that announces more bytes than any server takes so, by 1009"), reason: noCode },
    { test: told("of no known type so, by 1002"), reason: noCode },
    { test: told("that isn't masked so, by 1002"), reason: "Deno closes nobody for it" },
    { test: told("of text that isn't UTF-8 so, by 1007"), reason: noCode },
    {
      test: "drains the server and closes with 1012 when the app closes",
      reason: "Deno's shutdown closes with 1001 who hasn't answered a close yet, and this server doesn't wait for them"
    }
  ]
)
