import { readdir, readFile } from "node:fs/promises"
import { extname } from "node:path"

/** A file of the page, ready to be sent. */
export interface PageFile {
  readonly type: string
  readonly body: Buffer<ArrayBuffer>
}

const types: Record<string, string> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml"
}

/** Reads the built page, by URL path. */
export const readPageFiles = async (folder: URL): Promise<ReadonlyMap<string, PageFile>> => {
  const files = new Map<string, PageFile>()
  for (const name of await readdir(folder)) {
    const type = types[extname(name)]
    if (type === undefined) continue
    files.set(name === "index.html" ? "/" : `/${name}`, { type, body: await readFile(new URL(name, folder)) })
  }
  return files
}
