import { arch, cpus, platform, release, totalmem } from "node:os"

/** The machine that a run was made on, in a line. */
export const describeMachine = (): string => {
  const [cpu] = cpus()
  const gibibytes = Math.round(totalmem() / 1024 ** 3)
  return `${cpus().length} x ${cpu?.model ?? "unknown CPU"}, ${gibibytes} GiB, ${platform()} ${release()} ${arch()}, Node ${process.version}`
}
