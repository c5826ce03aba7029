import type { Layer } from "effect"
import { EventGroup, EventLog } from "effect/eventlog"
import {
  aFunction,
  aLayer,
  type Expectation,
  type Expectations,
  layers,
  members,
  required,
  withFunctions,
  withHint
} from "../options/index.ts"
import type { AsyncAuth } from "./asyncAuth.ts"
import type { CreateEventLogServerOptions } from "./createOptions.ts"
import { serverExpectations } from "./expectedServerOptions.ts"
import { eventsOf } from "./serverWrite.ts"

const schema = withHint(
  required({ expected: "what EventLog.schema returns", accepts: EventLog.isEventLogSchema }),
  (value) => (EventGroup.isEventGroup(value) ? "It is a group of events: give EventLog.schema(group)." : undefined)
)

const isBackend = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "layer" in value && aLayer.accepts(value.layer)

const backendHint = (value: unknown): string | undefined => {
  if (typeof value === "function") return "Call it: memoryBackend()."
  if (typeof value !== "object" || value === null) return undefined
  if ("then" in value) return "It is a promise: await it."
  return "selectFrom" in value ? "It is a database: give kyselyBackend({ db, dialect })." : undefined
}

const backend = withHint(required({ expected: "a backend, such as memoryBackend()", accepts: isBackend }), backendHint)

const auth: Expectation = withHint(
  required(members<AsyncAuth>({ read: required(aFunction), write: required(aFunction), identity: aFunction })),
  () =>
    'What clients may do has to be said; allowAll of "@eventlog-server/core" lets them do everything in their store.'
)

/** A function for each event, which are only known with the schema; layers check themselves when they are built. */
const handlersFor = (given: unknown): Expectation => {
  const events = EventLog.isEventLogSchema(given) ? [...eventsOf(given).keys()] : []
  const functions = members(Object.fromEntries(events.map((event) => [event, required(aFunction)])))
  const isLayer = (value: unknown): value is Layer.Any => aLayer.accepts(value)
  return required({
    expected: "an object with a function for each event, or a Layer of EventLog.group",
    accepts: (value) => isLayer(value) || functions.accepts(value),
    inside: (value, path) =>
      isLayer(value) || !EventLog.isEventLogSchema(given) ? [] : (functions.inside?.(value, path) ?? [])
  })
}

/** What `createEventLogServer` takes, given the schema. */
export const createExpectations = (
  given: unknown
): Expectations<CreateEventLogServerOptions<EventGroup.Any, unknown>> => ({
  ...serverExpectations,
  schema,
  handlers: handlersFor(given),
  backend,
  progress: aLayer,
  compaction: layers,
  auth,
  enroll: withHint(aFunction, (value) =>
    typeof value === "string" ? "It names the store of a device: () => store." : undefined
  ),
  logger: withFunctions("debug", "info", "warn", "error")
})
