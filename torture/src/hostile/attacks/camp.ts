import { encodeRequestUnencrypted } from "@eventlog-server/core/protocol"
import { EventLogPeer } from "../peers/EventLogPeer.ts"
import type { Attack, Findings, Scene } from "../scene.ts"

const places = 20

/** Whether a device gets in and is served. */
const canConnect = async (url: string): Promise<boolean> => {
  const device = new EventLogPeer(url)
  const late = new Promise<boolean>((resolve) => setTimeout(resolve, 5_000, false))
  try {
    return await Promise.race([device.prove("honest/late").then(() => true), late])
  } catch {
    return false
  } finally {
    device.socket.cut()
  }
}

const run = async ({ keep, seconds, url }: Scene): Promise<Findings> => {
  const campers = Array.from({ length: places }, () => keep(new EventLogPeer(url)))
  await Promise.allSettled(campers.map(({ hello }) => hello))
  const sign = encodeRequestUnencrypted({ _tag: "Pong", id: 1 })
  const timer = setInterval(() => {
    for (const { socket } of campers) socket.send(sign)
  }, 1_000)
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
  const isServed = await canConnect(url)
  clearInterval(timer)
  const open = campers.filter(({ socket }) => socket.isOpen).length
  return { "campers open": open, "a device gets in": isServed ? "yes" : "no" }
}

/** Strangers who only show that they live keep every place. */
export const camp: Attack = {
  name: "camp",
  about: "20 anonymous connections that send a Pong now and then, maxConnections 20",
  settings: { limits: { maxConnections: places } },
  honestDevices: 0,
  run
}

const closing = 400
const campedPlaces = 5

/** Is refused, and answers no close. */
const linger = async (url: string, keep: Scene["keep"]): Promise<void> => {
  const peer = keep(new EventLogPeer(url, { isMute: true }))
  await peer.socket.opened.catch(() => {})
}

const runLinger = async ({ keep, server, url }: Scene): Promise<Findings> => {
  for (let index = 0; index < closing; index++) await linger(url, keep)
  const { sockets } = await server.call("measure")
  return { opened: closing, "sockets open": sockets }
}

/** Sockets of connections that are over for the server, and that their peers keep. */
export const campClosed: Attack = {
  name: "camp-closed",
  about: "400 connections beyond maxConnections 5 that never answer their close",
  settings: { limits: { maxConnections: campedPlaces } },
  honestDevices: 0,
  run: runLinger
}
