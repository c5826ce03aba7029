import { defineConfig } from "tsup"

export default defineConfig({
  entry: { index: "src/index.ts" },
  format: ["esm", "cjs"],
  dts: true,
  sourcemap: true,
  clean: true,
  target: "es2022",
  // Without it bundlers for Workers, and Deno, take a module of Node for a package.
  removeNodeProtocol: false
})
