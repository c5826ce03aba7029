import type { AppLogger } from "@eventlog-server/core"

/** A logger for what a test provokes, which is no news. */
export const silent: AppLogger = { debug() {}, info() {}, warn() {}, error() {} }
