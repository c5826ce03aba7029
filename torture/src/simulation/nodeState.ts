import { Deferred, Effect } from "effect"
import type { Random } from "../random.ts"
import type { LeaseOwner } from "./leases.ts"
import type { Member, Trouble } from "./scenario.ts"

/** How long a call takes that is told to be slow. */
const slowMillis = 1_000

/** One life of a server, as its backend and its handlers see it: what is to go wrong, and whether it still moves. */
export class NodeState implements LeaseOwner {
  /** Names this life. */
  readonly run: string
  private readonly random: Random
  private readonly latency: number
  private readonly plans = new Map<Member, Array<Trouble>>()
  private stuck: { readonly since: number; readonly gate: Deferred.Deferred<void> } | undefined
  private dead = false
  private readonly mourners: Array<() => void> = []
  private deafened: Array<Deferred.Deferred<void>> = []

  constructor(run: string, random: Random, latency: number) {
    this.run = run
    this.random = random
    this.latency = latency
  }

  stuckSince(): number | undefined {
    return this.stuck?.since
  }

  get isDead(): boolean {
    return this.dead
  }

  get isStuck(): boolean {
    return this.stuck !== undefined
  }

  /** The next calls of a member go wrong. */
  plan(member: Member, trouble: Trouble, times: number): void {
    const planned = this.plans.get(member) ?? []
    this.plans.set(member, [...planned, ...Array<Trouble>(times).fill(trouble)])
  }

  /** What is to go wrong with this call, if anything. */
  takePlan(member: Member): Trouble | undefined {
    return this.plans.get(member)?.shift()
  }

  /** Nothing that was planned happens any more. */
  calm(): void {
    this.plans.clear()
  }

  /** Stops everything that the node does until it is resumed. */
  pause(now: number): void {
    this.stuck ??= { since: now, gate: Deferred.makeUnsafe<void>() }
  }

  resume(): void {
    const stuck = this.stuck
    if (this.dead || stuck === undefined) return
    this.stuck = undefined
    Deferred.doneUnsafe(stuck.gate, Effect.void)
  }

  /** Stops everything for good. */
  kill(now: number): void {
    this.pause(now)
    this.dead = true
    for (const mourner of this.mourners.splice(0)) mourner()
  }

  /** Calls back when the node is killed, at once if it was. */
  onKilled(mourner: () => void): void {
    if (this.dead) mourner()
    else this.mourners.push(mourner)
  }

  /** Waits as long as the node doesn't move. */
  readonly moving: Effect.Effect<void> = Effect.suspend(() =>
    this.stuck === undefined ? Effect.void : Effect.andThen(Deferred.await(this.stuck.gate), this.moving)
  )

  /** Takes a random time, and longer while the node doesn't move. */
  readonly delay: Effect.Effect<void> = Effect.suspend(() => {
    const millis = this.random.chance(0.3) ? 0 : this.random.upTo(this.latency)
    return millis === 0 ? this.moving : Effect.andThen(Effect.sleep(millis), this.moving)
  })

  readonly slow: Effect.Effect<void> = Effect.sleep(slowMillis)

  /** Ends the wake-ups that are being listened to: the connection that brings them is lost. */
  deafen(): void {
    for (const deafened of this.deafened.splice(0)) Deferred.doneUnsafe(deafened, Effect.void)
  }

  /** Succeeds when the next wake-ups are lost. */
  readonly whenDeafened: Effect.Effect<void> = Effect.suspend(() => {
    const deafened = Deferred.makeUnsafe<void>()
    this.deafened.push(deafened)
    return Deferred.await(deafened)
  })
}
