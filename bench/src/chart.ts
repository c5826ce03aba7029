import { short } from "./short.ts"

/** A tick beyond the end of a bar. */
export interface Mark {
  readonly value: number
  readonly label: string
}

/** One figure of a group. */
export interface Bar {
  readonly label: string
  readonly color: string
  readonly value: number
  readonly marks: ReadonlyArray<Mark>
}

/** Horizontal bars in named groups, on a logarithmic axis: figures of a hundred and of a hundredth are seen on one. */
export interface Chart {
  readonly title: string
  /** What follows a figure, such as " ms". */
  readonly unit: string
  /** Where bars begin. @default at the left end */
  readonly baseline: number | undefined
  readonly groups: ReadonlyArray<{ readonly name: string; readonly bars: ReadonlyArray<Bar> }>
}

const width = 1_000
const margin = 24
const left = 300
const right = width - 190
const rowHeight = 20
const barHeight = 13
const groupGap = 26
const headHeight = 62

/** Places on a logarithmic axis, between powers of ten. */
interface Axis {
  readonly unit: string
  readonly powers: ReadonlyArray<number>
  readonly at: (value: number) => number
  /** Where bars begin. */
  readonly begin: number
}

/** Zeros and what is no number have no place on it. */
const canBeDrawn = (value: number): boolean => Number.isFinite(value) && value > 0

const axisOf = ({ baseline, groups, unit }: Chart): Axis => {
  const values = groups
    .flatMap(({ bars }) => bars.flatMap(({ marks, value }) => [value, ...marks.map((mark) => mark.value)]))
    .concat(baseline ?? [])
    .filter(canBeDrawn)
  const least = Math.floor(Math.log10(Math.min(...values)))
  // Bars that begin at the left end need a length.
  const from = baseline === undefined && 10 ** least === Math.min(...values) ? least - 1 : least
  const to = Math.max(from + 1, Math.ceil(Math.log10(Math.max(...values))))
  const at = (value: number) => left + ((Math.log10(value) - from) / (to - from)) * (right - left)
  return {
    unit,
    at,
    begin: baseline === undefined ? left : at(baseline),
    powers: Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index))
  }
}

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }
const escapeXml = (text: string): string => text.replace(/[&<>"]/g, (character) => escapes[character]!)

type Attributes = Readonly<Record<string, string | number>>

const attributesOf = (attributes: Attributes): string =>
  Object.entries(attributes)
    .map(([name, value]) => ` ${name}="${typeof value === "number" ? Number(value.toFixed(1)) : value}"`)
    .join("")

const shape = (name: "line" | "rect", attributes: Attributes): string => `<${name}${attributesOf(attributes)}/>`

const text = (content: string, attributes: Attributes): string =>
  `<text${attributesOf(attributes)}>${escapeXml(content)}</text>`

const line = (x: number, from: number, to: number, attributes: Attributes): string =>
  shape("line", { x1: x, x2: x, y1: from, y2: to, ...attributes })

const drawBar = (bar: Bar, axis: Axis, y: number): ReadonlyArray<string> => {
  const label = text(bar.label, { x: left - 8, y: y + 11, "text-anchor": "end", fill: "#374151" })
  if (!canBeDrawn(bar.value)) return [label, text("-", { x: left + 6, y: y + 11 })]
  const { begin } = axis
  const end = axis.at(bar.value)
  const marks = bar.marks.filter(({ value }) => canBeDrawn(value))
  const last = Math.max(end, begin, ...marks.map(({ value }) => axis.at(value)))
  const figures = [`${short(bar.value)}${axis.unit}`, ...marks.map((mark) => mark.label)].join(", ")
  const bottom = y + barHeight
  return [
    label,
    shape("rect", {
      ...{ x: Math.min(begin, end), y, width: Math.max(1, Math.abs(end - begin)), height: barHeight },
      ...{ fill: bar.color, rx: 2 }
    }),
    ...marks.map(({ value }) => line(axis.at(value), y, bottom, { stroke: bar.color, "stroke-width": 2 })),
    ...(marks.length === 0
      ? []
      : [
          shape("line", {
            ...{ x1: end, x2: last, y1: y + barHeight / 2, y2: y + barHeight / 2 },
            ...{ stroke: bar.color, "stroke-width": 1 }
          })
        ]),
    text(figures, { x: last + 6, y: y + 11 })
  ]
}

const bodyHeight = ({ groups }: Chart): number =>
  groups.reduce((sum, { bars }) => sum + groupGap + bars.length * rowHeight, 0)

const drawAxis = (axis: Axis, top: number, bottom: number): ReadonlyArray<string> =>
  axis.powers.flatMap((power) => [
    line(axis.at(power), top, bottom, { stroke: "#e5e7eb" }),
    text(`${power >= 1 ? power.toLocaleString("en-US") : power}${axis.unit}`, {
      ...{ x: axis.at(power), y: top - 6, "text-anchor": "middle", fill: "#6b7280" }
    })
  ])

const drawChart = (chart: Chart, top: number): ReadonlyArray<string> => {
  const title = text(chart.title, { x: margin, y: top + 18, "font-size": 16, "font-weight": "bold" })
  if (chart.groups.length === 0) return [title, text("nothing to show", { x: margin, y: top + 44 })]
  const axis = axisOf(chart)
  const bodyTop = top + headHeight
  const bottom = bodyTop + bodyHeight(chart) + 6
  const rows: Array<string> = []
  let y = bodyTop
  for (const { bars, name } of chart.groups) {
    rows.push(text(name, { x: margin, y: y + 17, "font-weight": "bold" }))
    y += groupGap
    for (const bar of bars) {
      rows.push(...drawBar(bar, axis, y))
      y += rowHeight
    }
  }
  const baseline = chart.baseline === undefined ? [] : [line(axis.begin, bodyTop, bottom, { stroke: "#111827" })]
  return [title, ...drawAxis(axis, bodyTop, bottom), ...rows, ...baseline]
}

/** Draws charts below each other, as an SVG. @param caption a line below them */
export const drawCharts = (caption: string, charts: ReadonlyArray<Chart>): string => {
  const parts: Array<string> = []
  let top = margin
  for (const chart of charts) {
    parts.push(...drawChart(chart, top))
    top += headHeight + bodyHeight(chart) + margin
  }
  parts.push(text(caption, { x: margin, y: top + 12, fill: "#6b7280" }))
  const height = top + margin + 12
  const size = { width, height, viewBox: `0 0 ${width} ${height}` }
  const font = { "font-family": "system-ui, sans-serif", "font-size": 12, fill: "#111827" }
  return [
    `<svg${attributesOf({ xmlns: "http://www.w3.org/2000/svg", ...size, ...font })}>`,
    shape("rect", { width, height, fill: "#ffffff" }),
    ...parts,
    "</svg>\n"
  ].join("\n")
}
