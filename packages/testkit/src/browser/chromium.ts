import { existsSync } from "node:fs"
import { type Browser, chromium } from "playwright-core"

const executablePath = process.env.CHROMIUM_PATH ?? "/usr/bin/chromium"

/** Why the browser tests can't run, and what to do about it; `undefined` when they can. */
export const chromiumMissing = existsSync(executablePath)
  ? undefined
  : `No Chromium at ${executablePath}: install it (apt-get install chromium), or set CHROMIUM_PATH`

/** A host name that leads to this machine, but isn't `localhost`: an origin that browsers don't call secure. */
export const insecureHost = "todos.example"

/** Starts a headless Chromium that talks to this machine only. */
export const launchChromium = (): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-sync"],
      ...["--disable-background-networking", "--disable-component-update"],
      `--host-resolver-rules=MAP ${insecureHost} 127.0.0.1`
    ]
  })
