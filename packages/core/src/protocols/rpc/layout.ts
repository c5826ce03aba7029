/**
 * Made where effect's own encoder lays messages out in another way than they are read here. What it makes couldn't be
 * read, and its decoders can be made to work for seconds by a few bytes, so the server doesn't start.
 *
 * @param what in the plural
 */
export const otherLayout = (what: string): Error =>
  new Error(
    `The installed version of effect lays out ${what} in a way that this version of @eventlog-server/core can't read. ` +
      "Install effect 4.1, or a newer version of @eventlog-server/core"
  )

/** Whether two arrays hold the same bytes. */
export const equalBytes = (left: Uint8Array, right: Uint8Array): boolean =>
  left.length === right.length && left.every((byte, index) => byte === right[index])
