/**
 * Loaded before a server (`node --import`): counts the statements that it sends to the PostgreSQL on the port
 * `BENCH_COUNT_PORT`, with whatever driver, and tells how many they are when it is asked. BEGIN and COMMIT are statements,
 * too; several in one text are one.
 */
import { Socket } from "node:net"
import { StatementCounter } from "./StatementCounter.ts"

const port = Number(process.env.BENCH_COUNT_PORT)
const counters = new Map<Socket, StatementCounter>()
let ofClosed = 0

const counterOf = (socket: Socket): StatementCounter => {
  const known = counters.get(socket)
  if (known !== undefined) return known
  const counter = new StatementCounter()
  counters.set(socket, counter)
  socket.once("close", () => {
    ofClosed += counter.count
    counters.delete(socket)
  })
  return counter
}

const { write } = Socket.prototype
// Every driver ends up here.
Socket.prototype.write = function (this: Socket, ...args: [string | Uint8Array]) {
  const [data] = args
  if (this.remotePort === port) counterOf(this).take(typeof data === "string" ? Buffer.from(data) : data)
  return write.apply(this, args)
} as typeof write

process.on("message", () => {
  let statements = ofClosed
  for (const { count } of counters.values()) statements += count
  process.send?.(statements)
})
// Nobody asks when all else is over.
process.channel?.unref()
