/** Windows that must agree before a rate counts as steady. */
const agreeing = 3
/** How far they may lie apart, as a part of their mean. */
const tolerance = 0.1

/** Whether the last windows counted about the same: successive ones within a tenth, and something at all. */
export const isSteady = (windows: ReadonlyArray<number>): boolean => {
  if (windows.length < agreeing) return false
  const last = windows.slice(-agreeing)
  const mean = last.reduce((sum, count) => sum + count, 0) / agreeing
  return mean > 0 && Math.max(...last) - Math.min(...last) <= tolerance * mean
}
