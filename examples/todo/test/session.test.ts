import { describe, expect, it } from "vitest"
import { loginCookie, parseName, userOf } from "../src/session.ts"

describe("the session cookie", () => {
  it.each(["ada", "Åsa Öberg", "名前", "a.b_c-d"])("carries %s", (name) => {
    expect(userOf(`other=1; ${loginCookie(name).split(";")[0]}; last=2`)).toBe(name)
  })

  it("is not readable by scripts and not sent by other sites", () => {
    expect(loginCookie("ada")).toMatch(/HttpOnly; SameSite=Strict/)
  })

  it.each([undefined, "", "todo_user", "todo_user=", "todo_user=%E0%A4%A", "todo_user=a%00b", "xtodo_user=ada"])(
    "of %j names nobody",
    (cookies) => {
      expect(userOf(cookies)).toBeUndefined()
    }
  )

  it.each([undefined, 7, "", "  ", "a\nb", "\ud800", "x".repeat(41), "a;b"])("refuses %j as a name", (name) => {
    expect(parseName(name)).toBeUndefined()
  })

  it("trims a name", () => {
    expect(parseName(" ada ")).toBe("ada")
  })
})
