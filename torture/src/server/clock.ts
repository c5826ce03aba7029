/** Sets the clock of this process apart from the machine's: whatever asks `Date` for the time is told another one. */

const MachineDate = Date
let offset = 0

class ShiftedDate extends MachineDate {
  constructor(...args: ReadonlyArray<unknown>) {
    // biome-ignore lint/suspicious/noExplicitAny: a date can be made of many things
    super(...((args.length === 0 ? [ShiftedDate.now()] : args) as [any]))
  }

  static override now(): number {
    return MachineDate.now() + offset
  }
}

globalThis.Date = ShiftedDate as DateConstructor

/** Steps the clock. @param millis how far it is ahead of the machine's from now on */
export const shiftClock = (millis: number): void => {
  offset = millis
}
