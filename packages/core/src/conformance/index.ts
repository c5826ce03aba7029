/**
 * Suites that every backend and every adapter must pass, for vitest. A storage package's whole consumer is a call:
 *
 * ```ts
 * backendSuite("my storage", { backend: async () => ({ layer: myBackend(await connect()).layer }) })
 * ```
 */
export type { Mount, Mounted } from "./adapter/harness.ts"
export { type AdapterSkip, type AdapterSuiteOptions, adapterSuite } from "./adapterSuite.ts"
export { backendSuite, feedAdminSuite, feedStoreSuite, storeProgressSuite, storeRegistrySuite } from "./backendSuite.ts"
export { BackendAwayError, type BackendHarness, type BackendSuiteOptions } from "./harness.ts"
export { type SelectionEnvironment, selectBackends } from "./selectBackends.ts"
