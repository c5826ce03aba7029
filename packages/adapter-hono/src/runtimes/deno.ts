import type { Limits } from "@eventlog-server/core/adapter"

/** What to know of a server on Deno. */
export const denoWarning = ({ maxFrameBytes }: Limits): string =>
  `Deno can't be told that frames end at ${maxFrameBytes} bytes: it holds a bigger one, up to 64 MiB, until it is complete and refused. Let a proxy bound them where strangers connect.`
