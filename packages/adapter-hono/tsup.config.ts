import { defineConfig } from "tsup"

export default defineConfig({
  entry: { index: "src/index.ts", node: "src/node.ts", bun: "src/bun.ts" },
  format: ["esm", "cjs"],
  // What Bun was told is remembered, once for both entry points that ask.
  splitting: true,
  dts: true,
  sourcemap: true,
  clean: true,
  target: "es2022",
  // Without it bundlers for Workers, and Deno, take a module of Node for a package.
  removeNodeProtocol: false
})
