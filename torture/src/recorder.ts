import type { Happening, Recorded } from "./oracle/history.ts"

/** Writes down what happens, with the time. */
export class Recorder {
  readonly history: Array<Recorded> = []
  private readonly now: () => number

  /** @param now milliseconds since the run began */
  constructor(now: () => number) {
    this.now = now
  }

  readonly record = (happening: Happening): void => {
    this.history.push({ ...happening, at: this.now() })
  }
}
