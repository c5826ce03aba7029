import { connect } from "node:net"
import { eventLog } from "@eventlog-server/adapter-hono"
import type { Mountable, Transport } from "@eventlog-server/core/adapter"
import { Hono } from "hono"
import type { GetConnInfo } from "hono/conninfo"
import type { StatusCode } from "hono/utils/http-status"
import type { UpgradeWebSocket } from "hono/ws"
import { speak } from "./lines.ts"
import type { Ability, Answers, FromProcess, MountRequest, Question, ToProcess } from "./messages.ts"

/** An app that listens. */
export interface Listening {
  readonly port: number
  readonly stop: () => unknown
}

/** What a runtime has of its own. */
export interface Runtime {
  readonly upgradeWebSocket: UpgradeWebSocket
  readonly getConnInfo: GetConnInfo
  readonly listen: (app: Hono, server: Mountable) => Listening | Promise<Listening>
}

const abilities: ReadonlyArray<Ability> = ["terminate", "pause", "resume"]

/** Mounts what the test wants, again and again: its server is in the test's process, at the other end of a socket. */
export const serveFor = (runtime: Runtime): void => {
  const transports = new Map<number, Transport>()
  const mounts = new Map<number, { readonly server: Mountable; readonly stop: () => unknown }>()
  const questions = new Map<number, (answer: Extract<ToProcess, { readonly _tag: "Answer" }>) => void>()
  let last = 0

  const ask = <Asked extends Question>(mount: number, asked: Asked): Promise<Answers[Asked["_tag"]]> =>
    new Promise((resolve, reject) => {
      const question = ++last
      questions.set(question, ({ failed, value }) => {
        questions.delete(question)
        if (failed) reject(new Error("refused"))
        else resolve(value as Answers[Asked["_tag"]])
      })
      tell({ _tag: "Ask", mount, question, asked })
    })

  const serverOf = (mount: number, { endpoints, limits }: MountRequest): Mountable => ({
    limits,
    endpoints,
    admit: (info) => ask(mount, { _tag: "Admit", info }),
    close: async () => void (await ask(mount, { _tag: "End" })),
    connect: (transport, info, protocol) => {
      const connection = ++last
      transports.set(connection, transport)
      const able = abilities.filter((ability) => transport[ability] !== undefined)
      tell({ _tag: "Connected", mount, connection, info, protocol, abilities: able })
      return {
        receive: (frame) =>
          tell({
            _tag: "Frame",
            connection,
            ...(typeof frame === "string" ? { text: frame } : { bytes: Buffer.from(frame).toString("base64") })
          }),
        closed: () => tell({ _tag: "Closed", connection })
      }
    }
  })

  const mountApp = async (mount: number, request: MountRequest): Promise<void> => {
    const { allowedOrigins, asksWho, refuse } = request
    const server = serverOf(mount, request)
    const app = new Hono()
    if (refuse !== undefined) app.use((c) => Promise.resolve(c.body(null, refuse as StatusCode)))
    const { getConnInfo, listen, upgradeWebSocket } = runtime
    const authenticate = asksWho
      ? (c: { readonly req: { readonly header: () => Record<string, string> } }) =>
          ask(mount, { _tag: "Who", headers: c.req.header() })
      : undefined
    app.route("/eventlog", eventLog({ server, upgradeWebSocket, getConnInfo, authenticate, allowedOrigins }))
    const { port, stop } = await listen(app, server)
    mounts.set(mount, { server, stop })
    tell({ _tag: "Mounted", mount, port })
  }

  const unmount = async (mount: number): Promise<void> => {
    const { server, stop } = mounts.get(mount)!
    await server.close()
    await stop()
    tell({ _tag: "Unmounted", mount })
  }

  const obey = (message: ToProcess): unknown => {
    if (message._tag === "Mount") return mountApp(message.mount, message.request)
    if (message._tag === "Unmount") return unmount(message.mount)
    if (message._tag === "Answer") return questions.get(message.question)?.(message)
    const transport = transports.get(message.connection)
    if (message._tag === "Send") return transport?.send(Uint8Array.from(Buffer.from(message.bytes, "base64")))
    return message._tag === "Close" ? transport?.close(message.code, message.reason) : transport?.[message.ability]?.()
  }

  const socket = connect(Number(process.env.BRIDGE_PORT), "127.0.0.1")
  socket.on("close", () => process.exit())
  const tell = speak<ToProcess, FromProcess>(socket, obey)
}
