/** The middle of some numbers, `NaN` when there are none. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >>> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** How far the values lie apart: greatest minus least, as a part of the median. */
export const spread = (values: ReadonlyArray<number>): number =>
  values.length < 2 ? 0 : (Math.max(...values) - Math.min(...values)) / median(values)

/** The figures of `Histogram.summary`, by their names in a report. */
export const latencyNames: ReadonlyArray<string> = ["p50 ms", "p99 ms", "p99.9 ms"]

/** Buckets grow by this factor, so a percentile is off by 2 % at most. */
const growth = 1.02
const bucketOf = (value: number): number => Math.max(0, Math.ceil(Math.log(value) / Math.log(growth)))

/** Latencies in microseconds, counted: a million of them take no more memory than a hundred. */
export class Histogram {
  private readonly counts: Array<number> = []
  private total = 0

  record(micros: number): void {
    const bucket = bucketOf(micros)
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
    this.total++
  }

  /** The latency in milliseconds that a share (0 to 1) of the records don't exceed. */
  percentile(share: number): number {
    let left = this.total * share
    for (const [bucket, count = 0] of this.counts.entries()) {
      left -= count
      if (left <= 0 && count > 0) return growth ** bucket / 1_000
    }
    return Number.NaN
  }

  /** What is told of latencies in every report: see `latencyNames`. */
  summary(): Record<string, number> {
    const shares = [0.5, 0.99, 0.999]
    return Object.fromEntries(latencyNames.map((name, index) => [name, this.percentile(shares[index]!)]))
  }
}
