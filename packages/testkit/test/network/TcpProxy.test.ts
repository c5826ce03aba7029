import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { describe, expect, it, onTestFinished } from "vitest"
import { TcpProxy } from "../../src/network/index.ts"

/** A server that says its name, and then whatever it is told. */
const openServer = async (name: string) => {
  const heard: Array<string> = []
  const server = createServer((socket) => {
    socket.on("error", () => {})
    socket.write(name)
    socket.on("data", (chunk) => {
      heard.push(String(chunk))
      socket.write(chunk)
    })
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  onTestFinished(() => void server.close())
  return { heard, port: (server.address() as AddressInfo).port }
}

const openProxy = async (port: number): Promise<TcpProxy> => {
  const proxy = await TcpProxy.open({ port })
  onTestFinished(proxy.close)
  return proxy
}

/** A client of a proxy, and what it heard. */
const openClient = (proxy: TcpProxy) => {
  const socket: Socket = connect(proxy.port, "127.0.0.1")
  let text = ""
  socket.on("error", () => {})
  socket.on("data", (chunk) => {
    text += chunk
  })
  onTestFinished(() => void socket.destroy())
  return { socket, text: () => text, closed: once(socket, "close") }
}

/** A client that has heard a server's name. */
const openGreeted = async (proxy: TcpProxy, name: string) => {
  const client = openClient(proxy)
  await expect.poll(client.text).toBe(name)
  return client
}

describe("a proxy", () => {
  it("passes on what both ends say, in order and whole", async () => {
    const server = await openServer("a")
    const proxy = await openProxy(server.port)
    const client = await openGreeted(proxy, "a")
    const sent = Array.from({ length: 200_000 }, (_, index) => `${index} `).join("")
    client.socket.write(sent)
    await expect.poll(() => client.text().length).toBe(sent.length + 1)
    expect(client.text() === `a${sent}`).toBe(true)
  })

  it("ends connections in an outage, and takes none until it is over", async () => {
    const proxy = await openProxy((await openServer("a")).port)
    const before = await openGreeted(proxy, "a")
    await proxy.begin()
    await before.closed
    const during = openClient(proxy)
    await during.closed
    expect(during.text()).toBe("")
    await proxy.end()
    await openGreeted(proxy, "a")
  })

  it("leads to another server when told, and ends the connections to the first", async () => {
    const proxy = await openProxy((await openServer("a")).port)
    const first = await openGreeted(proxy, "a")
    proxy.lead(await openServer("b"))
    await first.closed
    await openGreeted(proxy, "b")
  })

  it("loses the answer to one request, which arrives", async () => {
    const server = await openServer("a")
    const proxy = await openProxy(server.port)
    const client = await openGreeted(proxy, "a")
    proxy.loseAnswerTo("commit")
    client.socket.write("begin")
    await expect.poll(client.text).toBe("abegin")
    client.socket.write("commit")
    await client.closed
    expect(server.heard).toEqual(["begin", "commit"])
    expect(client.text()).toBe("abegin")
    const next = await openGreeted(proxy, "a")
    next.socket.write("commit")
    await expect.poll(next.text).toBe("acommit")
  })

  it("cuts a share of the connections, but one at least", async () => {
    const proxy = await openProxy((await openServer("a")).port)
    const clients = await Promise.all([1, 2, 3, 4].map(() => openGreeted(proxy, "a")))
    const open = () => clients.filter(({ socket }) => !socket.destroyed).length
    proxy.cut(0.5)
    await expect.poll(open).toBe(2)
    proxy.cut(0)
    await expect.poll(open).toBe(1)
  })

  it("leaves a connection half open for a while: nobody hears of the other, or of the end", async () => {
    const server = await openServer("a")
    const proxy = await openProxy(server.port)
    const client = await openGreeted(proxy, "a")
    const since = performance.now()
    proxy.silence(1, 200)
    client.socket.write("into the void")
    await client.closed
    expect(performance.now() - since).toBeGreaterThan(150)
    expect(server.heard).toEqual([])
    expect(client.text()).toBe("a")
  })

  it("delays what passes", async () => {
    const proxy = await openProxy((await openServer("a")).port)
    const client = await openGreeted(proxy, "a")
    proxy.setDelay(50)
    const since = performance.now()
    client.socket.write("slow")
    await expect.poll(client.text).toBe("aslow")
    expect(performance.now() - since).toBeGreaterThan(95)
  })

  it("closes, whatever is open", async () => {
    const proxy = await TcpProxy.open({ port: (await openServer("a")).port })
    const [silent, other] = [await openGreeted(proxy, "a"), await openGreeted(proxy, "a")]
    proxy.silence(0, 60_000)
    await proxy.close()
    await Promise.all([silent.closed, other.closed])
  })
})
