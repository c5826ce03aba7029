import type { Route } from "./routes.ts"
import type { TodoServer } from "./server.ts"

/** Starts a web framework with the event log at `path` and the routes. Answers the port, and how to stop. */
export type Start = (options: {
  readonly server: TodoServer
  readonly routes: ReadonlyArray<Route>
  readonly path: string
  readonly host: string
  readonly port: number
}) => Promise<{ readonly port: number; readonly close: () => Promise<void> }>
