/** A name of a database or schema that no other test, run or process uses. */
export const freshName = (): string => `eventlog_test_${crypto.randomUUID().replaceAll("-", "")}`
