/** Lets the first failure of any connection end the whole job, rather than leave it waiting. */
export const failing = () => {
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => {})
  return {
    onFailure: (reason: string) => failure.reject(new Error(reason)),
    /** The work's outcome, unless something failed before. */
    orFail: <A>(work: Promise<A>): Promise<A> => Promise.race([work, failure.promise])
  }
}
