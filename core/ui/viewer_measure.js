// Calipers and ellipses drawn by hand. What counts is measured again in Python
// (core.lesion.measure_by_hand); here the same rules show the value while it is drawn.

import { button, element, say, svg, toPath } from "./viewer_parts.js";

// One scale that holds from (left, top) to (right, bottom), or why there is none.
function scaleOf({ spacing, areas }, left, top, right, bottom) {
  if (!areas.length) return spacing ? { spacing } : { why: "uncalibrated" };
  const [x0, y0, x1, y1] = [left, top, right, bottom].map((at) => Math.floor(at + 0.5));
  const met = areas.filter((a) => x0 < a.right && y0 < a.bottom && x1 >= a.left && y1 >= a.top);
  if (!met.length) return { why: "outside" };
  const holds = met.some((a) => a.left <= x0 && a.top <= y0 && x1 < a.right && y1 < a.bottom);
  const same = new Set(met.map((a) => String(a.spacing))).size === 1;
  if (!holds || !same) return { why: "crosses" };
  return met[0].spacing ? { spacing: met[0].spacing } : { why: "no lengths" };
}

function halves([a, b, c]) {
  const centre = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const first = [(b[0] - a[0]) / 2, (b[1] - a[1]) / 2];
  const long = Math.hypot(...first) || 1;
  const across = [-first[1] / long, first[0] / long];
  const reach = (c[0] - centre[0]) * across[0] + (c[1] - centre[1]) * across[1];
  return { centre, first, second: [across[0] * reach, across[1] * reach] };
}

// To a hundredth of a pixel, as Python keeps them: the value drawn is the value that counts.
function kept(points) {
  return points.map((point) => point.map((at) => Math.round(at * 100) / 100));
}

// The end of the second axis, moved to the line on which it lies.
export function squared(points) {
  const { centre, second } = halves(points);
  return [points[0], points[1], [centre[0] + second[0], centre[1] + second[1]]];
}

// An ellipse that begins with the stroke as its long axis.
export function begun(kind, from, to) {
  if (kind === "distance") return kept([from, to]);
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const centre = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2];
  return kept([from, to, [centre[0] + dy * 0.3, centre[1] - dx * 0.3]]);
}

// Whether these are the same measurements, to what rounding may change.
export function sameMeasures(some, others) {
  return some.length === others.length && some.every(({ kind, points }, i) =>
    kind === others[i].kind && points.every((point, at) =>
      point.every((value, axis) => Math.abs(value - others[i].points[at][axis]) < 0.05)));
}

export function longEnough({ kind, points }) {
  const [a, b] = points;
  if (Math.hypot(b[0] - a[0], b[1] - a[1]) < 2) return false;
  return kind === "distance" || Math.hypot(...halves(points).second) >= 1;
}

export function words({ kind, points }, data) {
  const { noMm } = data.text;
  if (kind === "distance") {
    const [[x0, y0], [x1, y1]] = points;
    const found = scaleOf(data, Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1));
    const [row, column] = found.spacing ?? [1, 1];
    const value = Math.hypot((x1 - x0) * column, (y1 - y0) * row).toFixed(1);
    return found.spacing ? `${value} mm` : `${value} px (${noMm[found.why]})`;
  }
  const { centre, first, second } = halves(points);
  const reach = [0, 1].map((i) => Math.hypot(first[i], second[i]));
  const found = scaleOf(data, centre[0] - reach[0], centre[1] - reach[1],
    centre[0] + reach[0], centre[1] + reach[1]);
  const [row, column] = found.spacing ?? [1, 1];
  // Singular values of the two half axes, stretched to millimetres.
  const [a, b, c, d] = [first[0] * column, second[0] * column, first[1] * row, second[1] * row];
  const sum = Math.hypot(a + d, b - c);
  const difference = Math.hypot(a - d, b + c);
  const [long, short] = [(sum + difference) / 2, Math.abs(sum - difference) / 2];
  const unit = found.spacing ? "mm" : "px";
  const area = (Math.PI * long * short).toFixed(1);
  const text = `${area} ${unit}² (${(2 * long).toFixed(1)} × ${(2 * short).toFixed(1)} ${unit})`;
  return found.spacing ? text : `${text} (${noMm[found.why]})`;
}

// The measurements of one pane, in image pixels.
export class MeasureLayer {
  constructor() {
    this.group = svg("g", "measures-drawn");
  }

  show(measures, scale) {
    this.group.replaceChildren(...measures.map((measure, i) => drawn(measure, i, scale)));
  }
}

function drawn({ kind, points }, index, scale) {
  const group = svg("g", "measure");
  for (const name of ["casing", "line"]) {
    const line = svg("path", name);
    line.setAttribute("d", toPath(points.slice(0, 2), false) + (kind === "ellipse" ? round(points) : ""));
    group.append(line);
  }
  for (const [x, y] of points) {
    const handle = svg("circle", "handle");
    handle.setAttribute("cx", x);
    handle.setAttribute("cy", y);
    handle.setAttribute("r", 5 / scale);
    group.append(handle);
  }
  const number = svg("text");
  const [end] = [...points].sort((a, b) => b[0] - a[0]);
  number.textContent = String(index + 1);
  number.setAttribute("x", end[0] + 14 / scale);
  number.setAttribute("y", end[1] + 5 / scale);
  number.style.fontSize = `${15 / scale}px`;
  group.append(number);
  return group;
}

function round(points) {
  const { centre, first, second } = halves(points);
  const long = Math.hypot(...first);
  const short = Math.hypot(...second);
  const turn = (Math.atan2(first[1], first[0]) * 180) / Math.PI;
  const [x0, y0] = [centre[0] - first[0], centre[1] - first[1]];
  const [x1, y1] = [centre[0] + first[0], centre[1] + first[1]];
  const arc = `A${long} ${short} ${turn} 0 1`;
  return `M${x0} ${y0}${arc} ${x1} ${y1}${arc} ${x0} ${y0}`;
}

// The handle under a point of the image, as [measure, point], the last drawn first.
export function handleAt(measures, [x, y], reach) {
  for (let i = measures.length - 1; i >= 0; i--) {
    const at = measures[i].points.findIndex((p) => Math.hypot(p[0] - x, p[1] - y) <= reach);
    if (at >= 0) return [i, at];
  }
  return null;
}

// Move one handle; the other axis of an ellipse keeps its length and its right angle.
export function moved({ kind, points }, which, to) {
  const next = points.map((point, i) => (i === which ? to : point));
  if (kind === "distance") return { kind, points: kept(next) };
  if (which === 2) return { kind, points: kept(squared(next)) };
  const before = halves(points);
  const reach = Math.sign(before.first[0] * before.second[1] - before.first[1] * before.second[0]) *
    Math.hypot(...before.second);
  const { centre, first } = halves(next);
  const long = Math.hypot(...first) || 1;
  next[2] = [centre[0] - (first[1] / long) * reach, centre[1] + (first[0] / long) * reach];
  return { kind, points: kept(next) };
}

// The results as text under the image, each with a button that removes it.
export class MeasureList {
  constructor(remove) {
    this.remove = remove;
    this.list = element("ol", "measures");
  }

  show(measures, data) {
    this.list.hidden = !measures.length;
    this.list.setAttribute("aria-label", data.text.measures);
    this.list.replaceChildren(...measures.map((measure, i) => {
      const item = element("li");
      const name = data.text[measure.kind];
      const value = measure.text ?? words(measure, data);
      const title = `${data.text.removeMeasure} ${i + 1}`;
      const away = button("remove", () => this.remove(i));
      away.hidden = !data.measuring;
      say(away, "", title);
      item.append(element("span", "", `${i + 1} · ${name}: ${value}`), away);
      return item;
    }));
  }
}
