import {
  aBoolean,
  aFunction,
  type Expectations,
  mapOf,
  members,
  oneOf,
  positiveNumber,
  required,
  texts,
  time,
  wholeNumber
} from "../options/index.ts"
import type { RetryDelays, RetryOptions, RetryPolicy } from "../processing/options.ts"
import { defaultLimits, type Limits } from "../wire/limits.ts"
import type { ProtocolOptions } from "./endpoints.ts"
import type { ServerOptions } from "./options.ts"

const unitOf = (limit: string): string => {
  if (limit.endsWith("Bytes")) return "bytes"
  return limit.endsWith("Millis") ? "milliseconds" : ""
}

const limits = Object.fromEntries(
  Object.keys(defaultLimits).map((name) => [name, wholeNumber(unitOf(name))])
) as Expectations<Limits>

const delays = members<RetryDelays>({ min: required(time), max: required(time) })

const policy = { attempts: wholeNumber(), backoff: delays }

/** What `layer` takes beside a schema and handlers. */
export const serverExpectations: Expectations<ServerOptions> = {
  protocols: members<ProtocolOptions>({ eventlog: aBoolean, rpc: aBoolean }),
  sessionAuth: oneOf("required", "off"),
  limits: members(limits),
  reauthorizeInterval: time,
  authTimeout: time,
  admit: aFunction,
  healthTimeout: time,
  proofTimeout: time,
  closeTimeout: time,
  pingInterval: time,
  pingTimeout: time,
  drainTimeout: time,
  reconnectsPerSecond: positiveNumber,
  compactionTimeout: time,
  onFeedLost: aFunction,
  handlerTimeout: time,
  sweepInterval: time,
  maxStores: positiveNumber,
  linger: time,
  leaseRetry: delays,
  outageRetry: delays,
  shutdownTimeout: time,
  retry: members<RetryOptions>({ ...policy, events: mapOf(members<RetryPolicy>(policy)) }),
  maxFailures: wholeNumber(),
  ignoredEvents: texts,
  onHandlerFailure: aFunction,
  onFeedMismatch: aFunction,
  onReset: aFunction,
  onTooManyFailures: aFunction
}
