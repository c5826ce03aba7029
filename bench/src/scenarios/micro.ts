import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { Benchmark, Contender, Role } from "../benchmark.ts"
import type { MicroName } from "../micro/main.ts"
import type { Scenario } from "./scenario.ts"

const script = fileURLToPath(new URL("../micro/main.ts", import.meta.url))

/** A piece of code, run in a process of its own, so that no other's types and garbage slow it down. */
const microContender = (role: Role, label: string, name: MicroName, seconds: number): Contender => ({
  role,
  label,
  measure: async () => {
    const args = [...process.execArgv, script, name, String(seconds)]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    return { value: Number(stdout) }
  }
})

/** What a quick run has time for: a whole entry on its way out, and on its way in. */
const quickOnes = ["micro/encode", "micro/processing"]

/** Single steps on the way of an entry, without sockets. */
export const micro: Scenario = ({ quick, ...settings }) => {
  const seconds = settings.seconds ?? (quick ? 0.4 : 2)
  const make = (
    name: string,
    contenders: ReadonlyArray<readonly [role: Role, label: string, name: MicroName]>
  ): Benchmark => ({
    name: `micro/${name}`,
    unit: "entries/s",
    better: "more",
    rounds: quick ? 1 : 3,
    contenders: contenders.map(([role, label, name]) => microContender(role, label, name, seconds))
  })
  const all = [
    make("encode", [
      ["ours", "encodeRemoteEntries", "encode"],
      ["peer", "effect's ChangesRpc", "encode-effect"],
      ["limit", "msgpackr", "encode-msgpackr"]
    ]),
    make("decode", [
      ["ours", "decodeRequestUnencrypted", "decode"],
      ["peer", "effect's WriteEntriesUnencrypted", "decode-effect"],
      ["limit", "msgpackr", "decode-msgpackr"]
    ]),
    make("compaction", [
      ["ours", "groupCompaction with keepLast", "compaction"],
      ["peer", "effect's compactBacklog", "compaction-effect"]
    ]),
    make("processing", [["ours", "handlers that do nothing", "processing"]]),
    make("plain-handlers", [["ours", "plain functions that do nothing", "plain-handlers"]])
  ]
  return quick ? all.filter(({ name }) => quickOnes.includes(name)) : all
}
