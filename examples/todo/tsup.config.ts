import { defineConfig } from "tsup"

const server = defineConfig({
  entry: { server: "src/server.ts" },
  format: ["esm"],
  target: "node22",
  sourcemap: true,
  outDir: "dist"
})

const page = defineConfig({
  entry: { main: "page/main.ts" },
  format: ["esm"],
  platform: "browser",
  target: "es2022",
  noExternal: [/.*/],
  minify: true,
  splitting: false,
  publicDir: "page/public",
  outDir: "dist/page"
})

export default [server, page]
