/** The machine's time in milliseconds since the epoch, whatever the clock of this process was set to. */
export const machineTime = (): number => performance.timeOrigin + performance.now()
