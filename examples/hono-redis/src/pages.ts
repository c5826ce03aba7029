import { html } from "hono/html"
import type { Item } from "./lists.ts"

type Html = ReturnType<typeof html>

const layout = (content: Html): Html => html`<!doctype html>
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width" />
      <title>Shopping</title>
    </head>
    <body>
      <main>
        <h1>Shopping</h1>
        ${content}
      </main>
    </body>
  </html>`

/** Asks who it is. */
export const loginPage = (): Html =>
  layout(html`<form method="post" action="/login">
    <label>Your household <input name="household" maxlength="100" required autofocus /></label>
    <button>Log in</button>
  </form>`)

const row = ({ id, text }: Item): Html => html`<li>
  <form method="post" action="/bought">
    <input type="hidden" name="id" value="${id}" />
    ${text} <button>Bought</button>
  </form>
</li>`

/** What a household needs. */
export const listPage = (items: ReadonlyArray<Item>): Html =>
  layout(html`<ul>
      ${items.map(row)}
    </ul>
    <form method="post" action="/items">
      <label>Item <input name="text" maxlength="200" required autofocus /></label>
      <button>Add</button>
    </form>`)
