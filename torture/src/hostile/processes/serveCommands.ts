import type { Call, CommandsOf, Reply } from "./commands.ts"

const perform = async (commands: object, { args, id, name }: Call): Promise<Reply> => {
  try {
    const command = (commands as Record<string, (...args: ReadonlyArray<unknown>) => Promise<unknown>>)[name]
    if (command === undefined) throw new Error(`There is no command ${name}`)
    return { id, value: await command(...args) }
  } catch (error) {
    return { id, error: String(error) }
  }
}

/** What a program of the harness was started with. */
export const readSettings = <Settings>(): Settings => JSON.parse(process.argv[2] ?? "") as Settings

/** Carries out what the parent says, until that is gone; nothing of a run outlives the harness. */
export const serveCommands = <Commands extends CommandsOf<Commands>>(commands: Commands): void => {
  process.on("message", (call: Call) => void perform(commands, call).then((reply) => process.send?.(reply, () => {})))
  process.once("disconnect", () => process.exit(0))
  process.send?.({ id: 0 } satisfies Reply)
}
