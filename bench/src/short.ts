/** A number with as many digits as anybody can compare; "-" where there is none. */
export const short = (value: number | null): string => {
  if (value === null || Number.isNaN(value)) return "-"
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
