import { backendSuite, selectBackends } from "@eventlog-server/core/conformance"
import { backends } from "./backends.ts"

for (const [name, options] of selectBackends(backends, process.env)) backendSuite(name, options)
