import type { Browser, BrowserContext, Page } from "playwright-core"

/** A tab of the todo app, operated the way a user of a screen reader knows it: by roles and labels. */
export class Tab {
  readonly page: Page

  constructor(page: Page) {
    this.page = page
  }

  async login(user: string): Promise<void> {
    await this.page.getByLabel("Your name").fill(user)
    await this.page.keyboard.press("Enter")
    await this.page.getByLabel("New todo").waitFor()
  }

  async add(text: string): Promise<void> {
    await this.page.getByLabel("New todo").fill(text)
    await this.page.keyboard.press("Enter")
    await this.page.getByRole("checkbox", { name: `Done: ${text}` }).waitFor()
  }

  async rename(from: string, to: string): Promise<void> {
    const row = this.page
      .getByRole("listitem")
      .filter({ has: this.page.getByRole("checkbox", { name: `Done: ${from}` }) })
    await row.getByLabel("Text").fill(to)
    await this.page.keyboard.press("Enter")
    await this.page.getByRole("checkbox", { name: `Done: ${to}` }).waitFor()
  }

  async toggle(text: string): Promise<void> {
    await this.page.getByRole("checkbox", { name: `Done: ${text}` }).click()
  }

  async remove(text: string): Promise<void> {
    await this.page.getByRole("button", { name: `Remove: ${text}` }).click()
    await this.page.getByRole("checkbox", { name: `Done: ${text}` }).waitFor({ state: "detached" })
  }

  async press(button: string): Promise<void> {
    await this.page.getByRole("button", { name: button }).click()
  }

  /** The list as it is shown: `[x] text` where a todo is done, `[ ] text` where it isn't. */
  todos(): Promise<ReadonlyArray<string>> {
    return this.page.getByRole("listitem").evaluateAll((rows) =>
      rows.map((row) => {
        const done = row.querySelector<HTMLInputElement>("input")?.checked
        return `[${done ? "x" : " "}] ${row.querySelector("textarea")?.value}`
      })
    )
  }

  /** What the page says of the connection. */
  connection(): Promise<string | null> {
    return this.page.getByRole("status").textContent()
  }

  /** What the page says is not sent yet. */
  pending(): Promise<string | null> {
    return this.page.locator("#pending").textContent()
  }

  /** What the page shows as the last failure; nothing where there is none. */
  lastError(): Promise<string | null> {
    return this.page.locator("#last-error").textContent()
  }

  /** Waits until the page could open without the server: its service worker has kept it. */
  async kept(): Promise<void> {
    await this.page.evaluate(() => navigator.serviceWorker.ready)
  }
}

/** What each page said in its console, and which requests of it failed. */
const said = new WeakMap<Page, Array<string>>()

const listen = (page: Page): void => {
  const lines: Array<string> = []
  said.set(page, lines)
  page.on("console", (message) => lines.push(`${message.type()}: ${message.text()}`))
  page.on("pageerror", (error) => lines.push(`error: ${error.message}`))
  page.on("requestfailed", (request) => lines.push(`failed: ${request.url()} ${request.failure()?.errorText}`))
  page.on("framenavigated", (frame) => lines.push(`at ${frame.url()}`))
}

/** Prints what a page shows and what it said. */
export const report = async (page: Page): Promise<void> => {
  const shown = await page
    .locator("main")
    .ariaSnapshot({ timeout: 1_000 })
    .catch((error: unknown) => String(error))
  process.stderr.write(`${[`${page.url()} shows`, shown, "and said", ...(said.get(page) ?? [])].join("\n  ")}\n`)
}

/** A browser of its own, as far as storage goes, with the app open. */
export const openDevice = async (
  browser: Browser,
  url: string,
  user: string
): Promise<Tab & { readonly context: BrowserContext }> => {
  const context = await browser.newContext()
  const tab = new Tab(await context.newPage())
  listen(tab.page)
  await tab.page.goto(url)
  await tab.login(user)
  return Object.assign(tab, { context })
}
