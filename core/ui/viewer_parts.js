// Small pieces the viewer's modules share: elements, icons, points and numbers.

const SVG = "http://www.w3.org/2000/svg";

// Strokes on a grid of 24.
const ICONS = {
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  invert: "M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18zM12 3v18M8 5v14M5 8v8",
  window: "M12 7a5 5 0 1 0 0 10zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M5 19l1.4-1.4M17.6 6.4 19 5",
  distance: "M3 17 17 3l4 4L7 21zM7 13l2 2M10 10l3 3M13 7l2 2",
  ellipse: "M3 12a9 6 0 1 0 18 0a9 6 0 1 0-18 0zM3 12h18M12 6v12",
  draw: "M4 20l1-5L16 4l4 4L9 19zM14 6l4 4",
  undo: "M8 5 4 9l4 4M4 9h10a5 5 0 0 1 0 10h-3",
  clear: "M5 7h14M10 4h4M7 7l1 13h8l1-13",
  screen: "M3 5h18v12H3zM8 21h8",
  play: "M7 4l13 8-13 8z",
  pause: "M7 4v16M17 4v16",
  previous: "M18 5 8 12l10 7zM6 5v14",
  next: "M6 5l10 7-10 7zM18 5v14",
  remove: "M6 6l12 12M18 6 6 18",
};

export function element(name, className, words) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (words !== undefined) made.textContent = words;
  return made;
}

export function svg(name, className) {
  const made = document.createElementNS(SVG, name);
  if (className) made.setAttribute("class", className);
  return made;
}

// A button with an icon where there is one, and a word that a narrow screen leaves out.
export function button(name, act) {
  const made = element("button", name);
  made.type = "button";
  made.onclick = act;
  if (ICONS[name]) made.append(icon(name));
  made.append(element("span", ICONS[name] ? "word" : ""));
  return made;
}

export function say(made, words, title = words) {
  if (made.lastChild.textContent !== words) made.lastChild.textContent = words;
  made.title = title;
  made.setAttribute("aria-label", title);
}

export function setIcon(made, name) {
  made.querySelector(".icon path").setAttribute("d", ICONS[name]);
}

function icon(name) {
  const made = svg("svg", "icon");
  made.setAttribute("viewBox", "0 0 24 24");
  made.setAttribute("aria-hidden", "true");
  const path = svg("path");
  path.setAttribute("d", ICONS[name]);
  made.append(path);
  return made;
}

export function setHref(image, href, { width, height }) {
  image.setAttribute("width", width);
  image.setAttribute("height", height);
  image.setAttribute("preserveAspectRatio", "none");
  if (!href) image.removeAttribute("href");
  else if (image.getAttribute("href") !== href) image.setAttribute("href", href);
}

function bytesOf({ bdata }) {
  return Uint8Array.from(atob(bdata), (c) => c.charCodeAt(0));
}

// {dtype: "i2", bdata: base64 of little-endian int16 x, y, x, y, …} to [[x, y], …].
export function decode(packed) {
  const bytes = bytesOf(packed);
  const numbers = new DataView(bytes.buffer);
  const points = [];
  for (let i = 0; i + 3 < bytes.length; i += 4) {
    points.push([numbers.getInt16(i, true), numbers.getInt16(i + 2, true)]);
  }
  return points;
}

// {dtype: "f4", bdata} to numbers.
export function decodeFloats(packed) {
  const bytes = bytesOf(packed);
  const numbers = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 4 }, (_, i) => numbers.getFloat32(i * 4, true));
}

export function split(points, lengths) {
  let start = 0;
  return lengths.map((length) => points.slice(start, (start += length)));
}

export function toPath(points, closed = true) {
  return `M${points.map(([x, y]) => `${x} ${y}`).join("L")}${closed ? "Z" : ""}`;
}

export function label(ring, words) {
  const top = ring.reduce((best, point) => (point[1] < best[1] ? point : best));
  const made = svg("text");
  made.textContent = words;
  made.setAttribute("x", top[0]);
  made.dataset.y = top[1];
  return made;
}

export function extent(points) {
  const range = (i) => {
    const all = points.map((point) => point[i]);
    return Math.max(...all) - Math.min(...all);
  };
  return Math.min(range(0), range(1));
}

export function thin(points, most) {
  const step = Math.ceil(points.length / most);
  return points.filter((_, i) => i % step === 0);
}

export function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

// Put words into a text with {names}; what stands in the words is never looked at again.
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export function plain(number) {
  return String(Number(number.toPrecision(6)));
}
