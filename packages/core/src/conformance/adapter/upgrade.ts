import { expect, it } from "vitest"
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
    expect(recorder.connections.size).toBe(0)
  })

  it("selects the subprotocol eventlog.v1 when it is offered", async () => {
    const { url } = await record(mount)
    expect((await connect(url, { protocols: [subprotocol] })).socket.protocol).toBe(subprotocol)
    expect((await connect(url)).socket.protocol).toBe("")
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
