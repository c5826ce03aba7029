/** Some latencies, in milliseconds. */
export class Latencies {
  #values: Array<number> = []

  record(millis: number): void {
    this.#values.push(millis)
  }

  get count(): number {
    return this.#values.length
  }

  /** The latency that a share (0 to 1) of them doesn't exceed; 0 when there are none. */
  percentile(share: number): number {
    const sorted = this.#values.sort((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  }

  clear(): void {
    this.#values = []
  }
}
