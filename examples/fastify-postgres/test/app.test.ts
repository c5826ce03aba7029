import { buildExample, killLeftovers, type Running, startServer } from "@eventlog-server/example-todo/testing"
import { createPostgresDatabase, postgresMissing } from "@eventlog-server/testkit/databases"
import { openApp } from "@eventlog-server/testkit/devices"
import { describeUnless } from "@eventlog-server/testkit/skipping"
import { Effect, Schema } from "effect"
import { EventLog } from "effect/eventlog"
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest"
import { WebSocket } from "ws"
import { Notes, schema } from "../src/schema.ts"

const rounds = process.env.EVENTLOG_TEST_LONG ? 50 : 5

/** Somebody who is logged in. */
const openUser = async (url: string, name: string, team: string) => {
  const post = (path: string, body: object) =>
    fetch(url + path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) })
  await post("/register", { name, team, password: "secret" })
  const login = await post("/login", { name, password: "secret" })
  const cookie = (login.headers.get("set-cookie") ?? "").split(";")[0] ?? ""
  return {
    cookie,
    notes: async () => (await fetch(`${url}/notes`, { headers: { cookie } })).json(),
    put: async (id: string, text: string): Promise<number> => {
      const headers = { cookie, "content-type": "application/json" }
      const response = await fetch(`${url}/notes/${id}`, { method: "PUT", headers, body: JSON.stringify({ text }) })
      return (await response.json()).sequence
    }
  }
}

/** A device of somebody who is logged in, until the test is over. */
const openDevice = async (url: string, cookie: string) => {
  const received: Array<string> = []
  const handlers = EventLog.group(Notes, (on) =>
    on
      .handle("NoteWritten", ({ payload }) => Effect.sync(() => received.push(payload.text)))
      .handle("NoteRemoved", ({ payload }) => Effect.sync(() => received.push(`removed ${payload.id}`)))
  )
  const { write } = await openApp({ url: `${url}/eventlog`, headers: { cookie }, schema, handlers })
  return { received, write }
}

describeUnless(await postgresMissing())("the notebook", () => {
  let script: URL
  let database: Awaited<ReturnType<typeof createPostgresDatabase>>
  let app: Running

  const start = async () => {
    app = await startServer(script, [], { DATABASE_URL: database.url, PORT: "0", LEASE_MILLIS: "1000" })
  }

  beforeAll(async () => {
    script = new URL("main.js", await buildExample("fastify-postgres"))
  })
  afterAll(killLeftovers)
  beforeEach(async () => {
    database = await createPostgresDatabase()
    await start()
    return database.drop
  })

  it("brings a team's devices and its table of notes together, and keeps teams apart", async () => {
    const ada = await openUser(app.url, "ada", "red")
    const ben = await openUser(app.url, "ben", "red")
    const eve = await openUser(app.url, "eve", "blue")
    const [laptop, phone] = [await openDevice(app.url, ada.cookie), await openDevice(app.url, ben.cookie)]

    await laptop.write({ event: "NoteWritten", payload: { id: "1", text: "Buy milk" } })
    await expect.poll(ben.notes).toEqual([{ id: "1", text: "Buy milk", edits: 1 }])
    expect(await ben.put("1", "Buy oat milk")).toBe(2)
    expect(await ada.notes()).toEqual([{ id: "1", text: "Buy oat milk", edits: 2 }])
    await expect.poll(() => phone.received).toEqual(["Buy milk", "Buy oat milk"])
    await phone.write({ event: "NoteRemoved", payload: { id: "1" } })
    await expect.poll(ada.notes).toEqual([])
    await expect.poll(() => laptop.received).toContain("removed 1")
    expect(await eve.notes()).toEqual([])
    expect(await app.stop()).toMatchObject({ code: 0, stderr: "" })
  })

  it("keeps accounts, sessions and notes over a restart, and lets nobody in without a login", async () => {
    const ada = await openUser(app.url, "ada", "red")
    await ada.put("1", "Buy milk")
    await app.stop()
    await start()
    const notes = await fetch(`${app.url}/notes`, { headers: { cookie: ada.cookie } })
    expect(await notes.json()).toEqual([{ id: "1", text: "Buy milk", edits: 1 }])

    expect((await fetch(`${app.url}/notes`)).status).toBe(401)
    const body = JSON.stringify({ name: "ada", password: "wrong" })
    const login = await fetch(`${app.url}/login`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body
    })
    expect([login.status, login.headers.get("set-cookie")]).toEqual([401, null])
    const anonymous = new WebSocket(`${app.url.replace("http", "ws")}/eventlog`)
    const refused = new Promise<string>((resolve) => anonymous.once("error", ({ message }) => resolve(message)))
    expect(await refused).toContain("401")
    await app.stop()
  })

  const decode = Schema.decodeSync(Notes.events.NoteWritten!.payloadSchemaBinary)

  /** What the notes must be, by the whole feed, played from its beginning. */
  const replay = async () => {
    const notes = new Map<string, { text: string; edits: number; by: string }>()
    for (const { entry_id, payload } of await database.rows(
      "select * from eventlog_entries order by store, sequence"
    )) {
      const { id, text } = decode(payload as Buffer<ArrayBuffer>) as { id: string; text: string }
      const by = Buffer.from(entry_id as Uint8Array).toString("hex")
      const before = notes.get(id) ?? { text: "", edits: 0, by: "" }
      notes.set(id, { ...(by > before.by ? { text, by } : before), edits: before.edits + 1 })
    }
    return [...notes].map(([id, { edits, text }]) => ({ id, text, edits })).sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  it("has every note that it answered for, each counted once, however often it is killed", {
    timeout: 600_000
  }, async () => {
    const answered = new Map<number, string>()
    let written = 0
    for (let round = 0; round < rounds; round++) {
      const ada = await openUser(app.url, "ada", "red")
      const before = answered.size
      const writers = Array.from({ length: 8 }, async () => {
        while (true) {
          const text = `text ${++written}`
          const sequence = await ada.put(`note ${written % 10}`, text).catch(() => undefined)
          if (sequence === undefined) return
          answered.set(sequence, text)
        }
      })
      await expect.poll(() => answered.size).toBeGreaterThan(before)
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 300))
      await app.stop("SIGKILL")
      await Promise.all(writers)
      await start()
    }

    const entries = await database.rows("select sequence, payload from eventlog_entries order by sequence")
    expect(entries.map(({ sequence }) => Number(sequence))).toEqual(entries.map((_, index) => index + 1))
    const texts = entries.map(({ payload }) => (decode(payload as Buffer<ArrayBuffer>) as { text: string }).text)
    expect([...answered].filter(([sequence, text]) => texts[sequence - 1] !== text)).toEqual([])

    // The last of them waits for the handlers of those before it.
    const ada = await openUser(app.url, "ada", "red")
    await ada.put("last", "the last one")
    expect(await ada.notes()).toEqual(await replay())
    await app.stop()
  })
})
