/** The element with this id in `index.html`, which must be of the given class. */
export const byId = <E extends HTMLElement>(id: string, type: new () => E): E => {
  const found = document.getElementById(id)
  if (!(found instanceof type)) throw new Error(`index.html has no ${type.name} with the id "${id}"`)
  return found
}

/** Says what went wrong, to screen readers too; `undefined` takes it back. */
export const showProblem = (message: string | undefined): void => {
  const problem = byId("problem", HTMLParagraphElement)
  problem.textContent = message ?? ""
  problem.hidden = message === undefined
}
