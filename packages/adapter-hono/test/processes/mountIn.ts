import { type ChildProcess, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { type AddressInfo, createServer, type Socket } from "node:net"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { Transport, TransportListener } from "@eventlog-server/core/adapter"
import type { Mount } from "@eventlog-server/core/conformance"
import { speak } from "./lines.ts"
import type { FromProcess, Question, ToProcess } from "./messages.ts"

const adapter = new URL("../../", import.meta.url)
const folder = new URL(`../../node_modules/.cache/adapter-processes-${process.env.VITEST_POOL_ID}/`, adapter)

/** Bundles the programs of the processes; answers where they are. */
export const buildProcesses = async (): Promise<URL> => {
  const env = { ...process.env, PROCESSES_FOLDER: fileURLToPath(folder) }
  const args = ["--no-install", "tsup", "--config", "test/processes/tsup.config.ts"]
  await promisify(execFile)("npx", args, { cwd: adapter, env })
  return folder
}

type Options = Parameters<Mount>[0]

/** A mount in the other process, seen from the test. */
interface Remote {
  readonly options: Options
  readonly mounted: PromiseWithResolvers<number>
  readonly unmounted: PromiseWithResolvers<void>
}

/** A process of a runtime, in which apps are mounted for servers that are in the test. */
export class RuntimeProcess {
  readonly #child: ChildProcess
  readonly #tell: (message: ToProcess) => void
  readonly #mounts = new Map<number, Remote>()
  readonly #listeners = new Map<number, TransportListener>()

  private constructor(child: ChildProcess, socket: Socket) {
    this.#child = child
    this.#tell = speak<FromProcess, ToProcess>(socket, (message) => this.#take(message))
  }

  static async start([program, ...args]: readonly [string, ...ReadonlyArray<string>]): Promise<RuntimeProcess> {
    const server = createServer().listen(0, "127.0.0.1")
    await once(server, "listening")
    const env = { ...process.env, BRIDGE_PORT: `${(server.address() as AddressInfo).port}` }
    const child = spawn(program, args, { env, stdio: "ignore" })
    const [socket] = (await once(server, "connection")) as [Socket]
    server.close()
    return new RuntimeProcess(child, socket)
  }

  readonly stop = (): void => void this.#child.kill("SIGKILL")

  readonly mount: Mount = async (options) => {
    const mount = this.#mounts.size + 1
    const remote: Remote = { options, mounted: Promise.withResolvers(), unmounted: Promise.withResolvers() }
    this.#mounts.set(mount, remote)
    const { allowedOrigins, authenticate, refuse, server } = options
    const { endpoints, limits } = server
    const request = { limits, endpoints, asksWho: authenticate !== undefined, allowedOrigins, refuse }
    this.#tell({ _tag: "Mount", mount, request })
    const close = (): Promise<void> => {
      this.#tell({ _tag: "Unmount", mount })
      return remote.unmounted.promise
    }
    return { url: `ws://127.0.0.1:${await remote.mounted.promise}/eventlog`, close }
  }

  #take(message: FromProcess): void {
    if (message._tag === "Mounted") return this.#mounts.get(message.mount)?.mounted.resolve(message.port)
    if (message._tag === "Unmounted") return this.#mounts.get(message.mount)?.unmounted.resolve()
    if (message._tag === "Ask") return void this.#answer(message)
    if (message._tag === "Connected") return this.#connect(message)
    const listener = this.#listeners.get(message.connection)
    if (message._tag === "Closed") return listener?.closed()
    listener?.receive(message.text ?? Uint8Array.from(Buffer.from(message.bytes ?? "", "base64")))
  }

  async #answer({ asked, mount, question }: Extract<FromProcess, { readonly _tag: "Ask" }>): Promise<void> {
    const { options } = this.#mounts.get(mount)!
    try {
      this.#tell({ _tag: "Answer", question, value: await answerTo(options, asked), failed: false })
    } catch {
      this.#tell({ _tag: "Answer", question, failed: true })
    }
  }

  #connect({
    abilities,
    connection,
    info,
    mount,
    protocol
  }: Extract<FromProcess, { readonly _tag: "Connected" }>): void {
    const transport: Transport = {
      send: (bytes) => this.#tell({ _tag: "Send", connection, bytes: Buffer.from(bytes).toString("base64") }),
      close: (code, reason) => this.#tell({ _tag: "Close", connection, code, reason }),
      ...Object.fromEntries(
        abilities.map((ability) => [ability, () => this.#tell({ _tag: "Act", connection, ability })])
      )
    }
    this.#listeners.set(connection, this.#mounts.get(mount)!.options.server.connect(transport, info, protocol))
  }
}

const answerTo = async ({ authenticate, server }: Options, asked: Question): Promise<unknown> => {
  if (asked._tag === "Admit") return server.admit(asked.info)
  if (asked._tag === "End") return server.close()
  return authenticate?.((name) => asked.headers[name.toLowerCase()])
}
