import type { Backend } from "@eventlog-server/core"
import { Effect } from "effect"
import { awayFrom, type Trouble, troubledBackend } from "./trouble.ts"

/** How a call fails: for now, for good, by breaking its word, or after it did what it was asked. */
export const faultKinds = ["retryable", "final", "defect", "afterwards"] as const

/** One of them. */
export type FaultKind = (typeof faultKinds)[number]

/** The `nth` call (from 1) of a member fails. */
export interface Fault {
  readonly member: string
  readonly nth: number
  readonly kind: FaultKind
}

const troubleOf = ({ kind, member }: Fault): Trouble => {
  const failure = awayFrom(member, kind !== "final")
  if (kind === "afterwards") return { after: Effect.fail(failure) }
  return { before: kind === "defect" ? Effect.die(failure.cause) : Effect.fail(failure) }
}

/** A backend that counts the calls of every member of every port, and lets one of them fail. */
export const faultyBackend = (backend: Backend, fault?: Fault) => {
  const calls = new Map<string, number>()
  const befalls = (member: string): Trouble => {
    const nth = (calls.get(member) ?? 0) + 1
    calls.set(member, nth)
    return fault?.member === member && fault.nth === nth ? troubleOf(fault) : {}
  }
  return { backend: troubledBackend(backend, befalls), calls }
}
