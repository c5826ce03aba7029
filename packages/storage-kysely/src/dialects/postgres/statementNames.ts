import { hash } from "node:crypto"

/** Statements of different texts that are prepared at most: a connection keeps all of them while it lives. */
const maxTexts = 32

/**
 * The executions after which a statement is prepared anew, under another name. After five PostgreSQL stops planning it, and
 * what it planned for a table of a few rows, a scan of all of them, stays until the table is analyzed again.
 */
const renewals = [64, 512, 4096]

/**
 * Names statements by their texts, for each execution: all processes call the same text the same, so that none can meet
 * another text by a name on a connection that they share. `undefined` where there are too many texts.
 */
export const makeStatementNames = (): ((text: string) => string | undefined) => {
  const known = new Map<string, { readonly prefix: string; executions: number }>()
  return (text) => {
    let statement = known.get(text)
    if (statement === undefined) {
      if (known.size === maxTexts) return undefined
      statement = { prefix: `eventlog_${hash("sha256", text).slice(0, 32)}_`, executions: 0 }
      known.set(text, statement)
    }
    const executions = statement.executions++
    return statement.prefix + renewals.filter((renewal) => executions >= renewal).length
  }
}
