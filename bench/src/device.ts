/**
 * Measures what a device in Chromium takes to receive a history, and to send a backlog after its page was loaded again:
 * our client with effect's journal and with ours, one after the other, with one server of this process.
 *
 *   npm run build && node bench/src/device.ts [entries of the history = 20000] [entries of the backlog = 5000]
 */
import { allowAll, createEventLogServer, memoryBackend } from "@eventlog-server/core"
import { bundle, launchChromium, servePage } from "@eventlog-server/testkit/browser"
import { openSockets } from "@eventlog-server/testkit/devices"
import { addedSchema } from "@eventlog-server/testkit/schema"
import type { Page } from "playwright-core"
import type { Device, Kind } from "./devicePage.ts"

declare const device: Device

const [history = 20_000, backlog = 5_000] = process.argv.slice(2).map(Number)

const server = createEventLogServer({
  schema: addedSchema,
  handlers: { TodoAdded: () => {} },
  backend: memoryBackend(),
  auth: allowAll,
  enroll: ({ publicKey }) => `of ${publicKey}`
})
const sockets = await openSockets(() => server)
const site = await servePage(await bundle(new URL("devicePage.ts", import.meta.url)))
const browser = await launchChromium()

const openPage = async (): Promise<Page> => {
  const page = await (await browser.newContext()).newPage()
  await load(page)
  return page
}
const load = async (page: Page) => {
  await page.goto(site.url)
  await page.waitForFunction(() => "device" in globalThis)
}

const write = async (storeId: string, count: number) => {
  for (let from = 0; from < count; from += 500) {
    const ids = Array.from({ length: Math.min(500, count - from) }, (_, index) => `${from + index}`)
    await Promise.all(
      ids.map((id) => server.write({ storeId, event: "TodoAdded", payload: { id, text: "a todo of the history" } }))
    )
  }
}

const receive = async (kind: Kind) => {
  const page = await openPage()
  const storeId = `history of ${kind}`
  await server.assign({ publicKey: await page.evaluate((kind) => device.publicKey(kind), kind), storeId })
  await write(storeId, history)
  return page.evaluate(([kind, url, until]) => device.receive(kind, url, until), [kind, sockets.url, history] as const)
}

const send = async (kind: Kind) => {
  const page = await openPage()
  await page.evaluate(([kind, count]) => device.write(kind, count), [kind, backlog] as const)
  await load(page)
  return page.evaluate(([kind, url, count]) => device.send(kind, url, count), [kind, sockets.url, backlog] as const)
}

const seconds = (millis: number) => `${(millis / 1_000).toFixed(2)} s`

for (const kind of ["effect", "ours"] as const) {
  const got = await receive(kind)
  console.log(
    `${kind}: ${history} entries received in ${seconds(got.millis)}, longest task ${got.longest.toFixed(0)} ms, ${got.bytes} bytes`
  )
  const sent = await send(kind)
  console.log(
    `${kind}: ${backlog} entries sent in ${seconds(sent.millis)}, longest task ${sent.longest.toFixed(0)} ms, longest time without progress ${sent.stillest.toFixed(0)} ms, ${sent.known ? "all" : "not all"} of them known at once`
  )
}

await browser.close()
site.close()
await sockets.close()
await server.close()
