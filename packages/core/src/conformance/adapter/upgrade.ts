import { expect, it } from "vitest"
import { upgradeRequired } from "../../adapter.ts"
import type { ConnectionInfo } from "../../index.ts"
import { subprotocol } from "../../wire/messages.ts"
import { connect, refusal } from "./client.ts"
import type { Mount } from "./harness.ts"
import { record } from "./recorder.ts"

const originOf = (url: string): string => new URL(url.replace("ws:", "http:")).origin

/** Who may connect, and what the server learns of them. */
export const upgrade = (mount: Mount): void => {
  it("answers a plain GET with 426 and names the protocol to upgrade to", async () => {
    const { recorder, url } = await record(mount)
    const response = await fetch(url.replace("ws:", "http:"))
    expect(response.status).toBe(426)
    expect(response.headers.get("upgrade")).toBe("websocket")
    expect(await response.text()).toBe(upgradeRequired)
    expect(recorder.connections.size).toBe(0)
  })

  it("refuses a plain GET as it would refuse the upgrade, so that a client can find out why", async () => {
    const { url } = await record(mount, {
      authenticate: (header) => {
        if (header("authorization") === undefined) throw new Error("unknown")
      },
      admit: async ({ headers }) => (headers.authorization === "busy" ? 503 : undefined)
    })
    const statusOf = async (headers: Record<string, string>) =>
      (await fetch(url.replace("ws:", "http:"), { headers })).status
    expect(await statusOf({})).toBe(401)
    expect(await statusOf({ authorization: "busy" })).toBe(503)
    expect(await statusOf({ authorization: "ada" })).toBe(426)
    expect(await refusal(url, { headers: { authorization: "busy" } })).toBe(503)
  })

  it("selects the subprotocol eventlog.v1 when it is offered", async () => {
    const { url } = await record(mount)
    expect((await connect(url, { protocols: [subprotocol] })).socket.protocol).toBe(subprotocol)
    expect((await connect(url)).socket.protocol).toBe("")
  })

  it.each([
    ["after another", ["eventlog.v2", subprotocol]],
    ["before another", [subprotocol, "eventlog.v2"]]
  ])("selects eventlog.v1 when it is offered %s", async (_, protocols) => {
    const { url } = await record(mount)
    expect((await connect(url, { protocols })).socket.protocol).toBe(subprotocol)
  })

  it("selects nothing when only other versions are offered, which a client takes as a refusal", async () => {
    const { url } = await record(mount)
    await expect(connect(url, { protocols: ["eventlog.v2"] })).rejects.toThrow("no subprotocol")
    await expect(connect(`${url}/rpc`, { protocols: ["eventlog.v2", "eventlog.v3"] })).rejects.toThrow("no subprotocol")
  })

  it("serves every endpoint of the server with its protocol, and asks the same of who connects", async () => {
    const asked: Array<unknown> = []
    const { recorder, url } = await record(mount, { authenticate: () => asked.push("asked") })
    await connect(`${url}/rpc`)
    await connect(url)
    expect((await recorder.connections.take()).protocol).toBe("rpc")
    expect((await recorder.connections.take()).protocol).toBe("eventlog")
    expect(asked).toHaveLength(2)
    expect(await refusal(`${url}/rpc`, { headers: { Origin: "https://evil.example" } })).toBe(403)
    expect((await fetch(`${url}/rpc`.replace("ws:", "http:"))).status).toBe(426)
  })

  it("serves no endpoint that the server doesn't have", async () => {
    const { recorder, url } = await record(mount, {}, [{ path: "/rpc", protocol: "rpc" }])
    await connect(`${url}/rpc`)
    expect(await refusal(url)).toBe(404)
    expect((await recorder.connections.take()).protocol).toBe("rpc")
    expect(recorder.connections.size).toBe(0)
  })

  it("hands over headers, address and principal", async () => {
    const authenticate = async (header: (name: string) => string | undefined) => ({ user: header("authorization") })
    const { recorder, url } = await record(mount, { authenticate })
    await connect(url, { headers: { Authorization: "ada", "X-Trace": "t1" } })
    const { info } = await recorder.connections.take()
    expect(info.principal).toEqual({ user: "ada" })
    expect(info.headers).toMatchObject({ authorization: "ada", "x-trace": "t1" })
    expect(info.remoteAddress).toMatch(/127\.0\.0\.1$/)
  })

  it("keeps the principals of connections apart", async () => {
    const { recorder, url } = await record(mount, { authenticate: (header) => header("authorization") })
    const names = ["ada", "grace", "edsger"]
    await Promise.all(names.map((name) => connect(url, { headers: { Authorization: name } })))
    for (const _ of names) {
      const { info } = await recorder.connections.take()
      expect(info.principal).toBe(info.headers.authorization)
    }
  })

  it("refuses with 401 when authenticate throws", async () => {
    const authenticate = () => {
      throw new Error("unknown")
    }
    const { recorder, url } = await record(mount, { authenticate })
    expect(await refusal(url)).toBe(401)
    expect(recorder.connections.size).toBe(0)
  })

  it("refuses with 401 when authenticate rejects", async () => {
    const { recorder, url } = await record(mount, { authenticate: () => Promise.reject(new Error("unknown")) })
    expect(await refusal(url)).toBe(401)
    expect(recorder.connections.size).toBe(0)
  })

  it.each([403, 429, 503] as const)("refuses with %s when the server doesn't admit the connection", async (status) => {
    const { recorder, url } = await record(mount, { admit: async () => status })
    expect(await refusal(url)).toBe(status)
    expect(await refusal(`${url}/rpc`)).toBe(status)
    expect(recorder.connections.size).toBe(0)
  })

  it("asks the server for admission with all that it will know of the connection", async () => {
    const asked: Array<unknown> = []
    const admit = async (info: ConnectionInfo) => void asked.push(info)
    const authenticate = async (header: (name: string) => string | undefined) => ({ user: header("authorization") })
    const { recorder, url } = await record(mount, { admit, authenticate })
    await connect(url, { headers: { Authorization: "ada" } })
    const { info } = await recorder.connections.take()
    expect(asked).toEqual([info])
    expect(info.principal).toEqual({ user: "ada" })
  })

  it("asks the server for no admission when authenticate or the origin refuses", async () => {
    const asked: Array<unknown> = []
    const admit = async (info: ConnectionInfo) => void asked.push(info)
    const authenticate = () => Promise.reject(new Error("unknown"))
    const { url } = await record(mount, { admit, authenticate })
    expect(await refusal(url)).toBe(401)
    expect(await refusal(url, { headers: { Origin: "https://evil.example" } })).toBe(403)
    expect(asked).toEqual([])
  })

  it("opens no connection for a client that is gone before it is admitted", async () => {
    const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<undefined>()]
    const admit = (info: ConnectionInfo) => {
      if (info.headers["x-first"] === undefined) return Promise.resolve(undefined)
      asked.resolve()
      return answer.promise
    }
    const { recorder, url } = await record(mount, { admit })
    const leaving = new AbortController()
    const connecting = connect(url, { headers: { "X-First": "1" }, signal: leaving.signal })
    await asked.promise
    leaving.abort()
    await expect(connecting).rejects.toThrow()
    answer.resolve(undefined)
    await connect(url)
    const { ends, info } = await recorder.connections.take()
    // An adapter may not have heard yet that the client left; then it must say so at once.
    if (info.headers["x-first"] !== undefined) await ends.take()
  })

  it("refuses a foreign origin with 403, before it asks who it is", async () => {
    const asked: Array<unknown> = []
    const { recorder, url } = await record(mount, { authenticate: () => asked.push("asked") })
    expect(await refusal(url, { headers: { Origin: "https://evil.example" } })).toBe(403)
    expect(asked).toEqual([])
    expect(recorder.connections.size).toBe(0)
  })

  it("lets in the same origin, and clients that send none", async () => {
    const { recorder, url } = await record(mount)
    await connect(url, { headers: { Origin: originOf(url) } })
    await connect(url)
    expect((await recorder.connections.take()).info.headers.origin).toBe(originOf(url))
    expect((await recorder.connections.take()).info.headers.origin).toBeUndefined()
  })

  it("heeds allowedOrigins", async () => {
    const { url } = await record(mount, { allowedOrigins: ["https://app.example"] })
    await connect(url, { headers: { Origin: "https://app.example" } })
    expect(await refusal(url, { headers: { Origin: originOf(url) } })).toBe(403)
  })

  it("lets the app's middleware refuse the upgrade", async () => {
    const { recorder, url } = await record(mount, { refuse: 402 })
    expect(await refusal(url)).toBe(402)
    expect(recorder.connections.size).toBe(0)
  })
}
