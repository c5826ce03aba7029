import { defineConfig } from "tsup"

export default defineConfig({
  entry: { node: "src/node.ts", bun: "src/bun.ts", deno: "src/deno.ts" },
  format: ["esm"],
  target: "node22",
  sourcemap: true,
  clean: true,
  // Deno knows the modules of Node by it only.
  removeNodeProtocol: false
})
