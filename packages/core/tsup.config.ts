import { defineConfig } from "tsup"

export default defineConfig({
  entry: {
    index: "src/index.ts",
    effect: "src/effect.ts",
    backend: "src/backend/index.ts",
    adapter: "src/adapter.ts",
    client: "src/client/index.ts",
    protocol: "src/wire/index.ts",
    evolution: "src/evolution/index.ts",
    conformance: "src/conformance/index.ts"
  },
  format: ["esm", "cjs"],
  // The entry points share classes (errors, services): each must exist once, in CommonJS too.
  splitting: true,
  dts: true,
  sourcemap: true,
  clean: true,
  target: "es2022",
  // Without it bundlers for Workers, and Deno, take a module of Node for a package.
  removeNodeProtocol: false
})
