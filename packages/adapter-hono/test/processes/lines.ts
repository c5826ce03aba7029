import type { Socket } from "node:net"

/** Messages over a socket, a line of JSON each. */
export const speak = <In, Out>(socket: Socket, onMessage: (message: In) => void): ((message: Out) => void) => {
  let rest = ""
  socket.setEncoding("utf8")
  socket.on("data", (part: string) => {
    const lines = (rest + part).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) onMessage(JSON.parse(line) as In)
  })
  return (message) => void socket.write(`${JSON.stringify(message)}\n`)
}
