import { encodeRequestUnencrypted } from "@eventlog-server/core/protocol"
import { drip } from "../peers/drip.ts"
import { EventLogPeer } from "../peers/EventLogPeer.ts"
import type { Attack, Scene } from "../scene.ts"

const connections = 24

/** Malformed, since sequences are no fractions, but of a known kind: the reply repeats the public key. */
const frameOf = (publicKey: string): Uint8Array =>
  encodeRequestUnencrypted({ _tag: "RequestChanges", publicKey, startSequence: 0.5 })

const flood =
  (frame: Uint8Array, perSecond: number) =>
  async ({ keep, seconds, url }: Scene) => {
    const until = performance.now() + seconds * 1_000
    const floods = Array.from({ length: connections }, async () => {
      const { socket } = keep(new EventLogPeer(url, { isMute: true }))
      await socket.opened
      return drip(socket, () => frame, perSecond, until)
    })
    const sent = await Promise.all(floods)
    return { frames: sent.reduce((sum, count) => sum + count, 0) }
  }

/** Connections without a key provoke replies that repeat a public key of nearly a stranger's frame, and read none. */
export const malformed: Attack = {
  name: "malformed",
  about: "malformed frames with public keys of 15 kB from 24 peers that never read",
  run: flood(frameOf("k".repeat(15_000)), 300)
}

/** The same with frames that are within every bound, so that the number of replies counts. */
export const malformedTiny: Attack = {
  name: "malformed-tiny",
  about: "malformed frames with tiny public keys from 24 peers that never read",
  run: flood(frameOf("k"), 1_000)
}
