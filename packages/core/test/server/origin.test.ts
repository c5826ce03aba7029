import { expect, it } from "vitest"
import { type AllowedOrigins, isOriginAllowed } from "../../src/adapter.ts"

it.each<[string, string | undefined, string | undefined, AllowedOrigins | undefined, boolean]>([
  ["no page", undefined, "app.example", undefined, true],
  ["no page, no host", undefined, undefined, [], true],
  ["the same host", "https://app.example", "app.example", undefined, true],
  ["the same host in other letters", "https://app.example", "App.Example", undefined, true],
  ["the same host and port", "http://localhost:3000", "localhost:3000", "same-origin", true],
  ["another port", "http://localhost:3000", "localhost:4000", "same-origin", false],
  ["another host", "https://evil.example", "app.example", undefined, false],
  ["a host that begins like it", "https://app.example.evil.example", "app.example", undefined, false],
  ["a user that looks like it", "https://app.example@evil.example", "app.example", undefined, false],
  ["a sandboxed page", "null", "app.example", undefined, false],
  ["an empty origin", "", "app.example", undefined, false],
  ["a page where the host is unknown", "https://app.example", undefined, undefined, false],
  ["anybody", "https://evil.example", "app.example", "any", true],
  ["one of a list", "https://b.example", "app.example", ["https://a.example", "https://b.example"], true],
  ["none of a list", "https://app.example", "app.example", ["https://a.example"], false],
  ["nobody", "https://app.example", "app.example", [], false],
  ["whom a function allows", "https://a.example", "app.example", (origin) => origin.includes("a."), true],
  ["whom a function refuses", "https://b.example", "app.example", (origin) => origin.includes("a."), false]
])("judges %s", (_, origin, host, allowed, expected) => {
  expect(isOriginAllowed({ origin, host }, allowed)).toBe(expected)
})
