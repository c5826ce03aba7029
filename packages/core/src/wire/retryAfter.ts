const ending = /; retry-after-ms=(\d{1,9})$/

/** A close reason that asks the peer to stay away for so many milliseconds; a peer that doesn't know of it loses nothing. */
export const askToRetryAfter = (reason: string, millis: number): string =>
  `${reason}; retry-after-ms=${Math.round(millis)}`

/** The milliseconds that a close reason asks for; `undefined` where it doesn't. */
export const retryAfterOf = (reason: string): number | undefined => {
  const millis = ending.exec(reason)?.[1]
  return millis === undefined ? undefined : Number(millis)
}
