import { once } from "node:events"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "tsup"

/** Bundles a script as an app's bundler does. */
export const bundle = async (entry: URL, { minify = false } = {}): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "page-"))
  try {
    await build({
      config: false,
      silent: true,
      entry: { page: fileURLToPath(entry) },
      format: ["esm"],
      platform: "browser",
      target: "es2022",
      noExternal: [/.*/],
      splitting: false,
      minify,
      dts: false,
      outDir: folder
    })
    return await readFile(join(folder, "page.js"), "utf8")
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Serves an empty page with a script, on an origin that browsers call secure. */
export const servePage = async (script: string) => {
  const server = createServer((request, response) => {
    const isScript = request.url === "/page.js"
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html")
    response.end(
      isScript ? script : '<!doctype html><meta charset="utf-8"><script type="module" src="/page.js"></script>'
    )
  }).listen(0)
  await once(server, "listening")
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}/`,
    close: () => {
      server.closeAllConnections()
      server.close()
    }
  }
}
