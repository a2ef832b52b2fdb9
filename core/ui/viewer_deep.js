// Deep images: the values come once, and every window over them is made here.

const KEPT = 2;

// What a window makes of every uint16 value: the arithmetic of core.scan.Depth.apply, rounded to
// nearest with ties to even as numpy does, so that a pixel here is the pixel the model reads.
export function windowTable({ centre, width, function: kind }, { slope, intercept, inverted }) {
  const table = new Uint8Array(65536);
  for (let value = 0; value < 65536; value++) {
    const x = value * slope + intercept;
    let share;
    if (kind === "sigmoid") {
      share = 1 / (1 + Math.exp(Math.min(700, Math.max(-700, (-4 * (x - centre)) / width))));
    } else if (kind === "linear_exact") share = (x - centre) / width + 0.5;
    else if (width === 1) share = x > centre - 0.5 ? 1 : 0;
    else share = (x - (centre - 0.5)) / (width - 1) + 0.5;
    const grey = even(Math.min(1, Math.max(0, share)) * 255);
    table[value] = inverted ? 255 - grey : grey;
  }
  return table;
}

function even(x) {
  const down = Math.floor(x);
  const rest = x - down;
  if (rest === 0.5) return down + (down % 2);
  return rest < 0.5 ? down : down + 1;
}

// Greys to RGBA in one 32-bit number (browsers run on little-endian machines).
function packed(table) {
  return Uint32Array.from(table, (grey) => (0xff000000 | (grey << 16) | (grey << 8) | grey) >>> 0);
}

// The values of one image and its smaller versions: each halves the one before by averaging.
class Values {
  constructor(values, width, height) {
    this.levels = [{ values, width, height }];
  }

  level(number) {
    while (this.levels.length <= number) this.levels.push(halved(this.levels.at(-1)));
    return this.levels[number];
  }
}

function halved({ values, width, height }) {
  const w = (width + 1) >> 1;
  const h = (height + 1) >> 1;
  const out = new Uint16Array(w * h);
  for (let y = 0; y < h; y++) {
    const above = 2 * y * width;
    const below = Math.min(2 * y + 1, height - 1) * width;
    for (let x = 0; x < w; x++) {
      const left = 2 * x;
      const right = Math.min(left + 1, width - 1);
      out[y * w + x] = (values[above + left] + values[above + right] +
        values[below + left] + values[below + right] + 2) >> 2;
    }
  }
  return { values: out, width: w, height: h };
}

async function bytesAt(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`values: ${answer.status}`);
  return answer.arrayBuffer();
}

export class Deep {
  constructor(changed) {
    this.changed = changed; // called when there is something new to draw or to say
    this.kept = new Map();
    this.windows = new Map();
    this.scratch = document.createElement("canvas");
    this.context = this.scratch.getContext("2d", { willReadFrequently: true });
    this.drawn = "";
    this.version = 0;
    this.url = null;
    this.window = null;
  }

  // What is on screen now; the window a person chose stays with the image or its loop.
  open(url, spec, size, series) {
    const another = url !== this.url;
    this.url = url;
    this.spec = spec;
    this.size = size;
    this.series = series;
    const known = this.windows.has(series);
    if (another || !known) this.choose(known ? this.windows.get(series) : spec.shown ?? spec.read);
    if (another) this.load();
  }

  close() {
    this.url = this.window = null;
  }

  get values() {
    const kept = this.kept.get(this.url);
    return kept instanceof Values ? kept : null;
  }

  get failed() {
    return this.kept.get(this.url) === "failed";
  }

  // The window, or null for the table of the file.
  choose(window) {
    this.window = window;
    this.windows.delete(this.series);
    this.windows.set(this.series, window);
    if (this.windows.size > 50) this.windows.delete(this.windows.keys().next().value);
    this.table = null;
    this.version += 1;
  }

  get asRead() {
    const { window, spec: { read } } = this;
    if (!window || !read) return window === read;
    return ["centre", "width", "function"].every((name) => window[name] === read[name]);
  }

  async load() {
    const { url, spec, size } = this;
    if (this.kept.get(url) instanceof Values) return;
    try {
      const [raw, table] = await Promise.all([
        bytesAt(url), spec.table ? bytesAt(spec.table) : null,
      ]);
      const values = new Uint16Array(raw);
      if (values.length !== size.width * size.height) throw new Error("values: length");
      const made = new Values(values, size.width, size.height);
      made.table = table && new Uint8Array(table);
      this.kept.set(url, made);
    } catch {
      this.kept.set(url, "failed");
    }
    while (this.kept.size > KEPT) this.kept.delete([...this.kept.keys()].find((k) => k !== this.url));
    this.table = null;
    this.version += 1;
    this.changed();
  }

  // Draw what of the image lies in the canvas, at the screen's own resolution. `scale` is screen
  // pixels per image pixel, `left` and `top` are where the image begins on the canvas.
  draw(context, { scale, left, top, smooth }) {
    const { values } = this;
    const { width: wide, height: high } = context.canvas;
    context.clearRect(0, 0, wide, high);
    if (!values) return;
    const number = scale >= 1 ? 0 : Math.min(12, Math.floor(Math.log2(1 / scale) + 1e-9));
    const level = values.level(number);
    const step = scale * 2 ** number;
    // One pixel more on each side, so that smoothing has a neighbour at the edge.
    const x0 = Math.max(0, Math.floor(-left / step) - 1);
    const y0 = Math.max(0, Math.floor(-top / step) - 1);
    const x1 = Math.min(level.width, Math.ceil((wide - left) / step) + 1);
    const y1 = Math.min(level.height, Math.ceil((high - top) / step) + 1);
    if (x1 <= x0 || y1 <= y0) return;
    this.make(level, number, x0, y0, x1 - x0, y1 - y0);
    context.save();
    context.beginPath();
    context.rect(left, top, this.size.width * scale, this.size.height * scale);
    context.clip();
    context.imageSmoothingEnabled = smooth;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.scratch, 0, 0, x1 - x0, y1 - y0,
      left + x0 * step, top + y0 * step, (x1 - x0) * step, (y1 - y0) * step);
    context.restore();
  }

  // Window a part of a level into the scratch canvas, unless it holds just that.
  make(level, number, x0, y0, w, h) {
    const what = [this.url, this.version, number, x0, y0, w, h].join();
    if (what === this.drawn) return;
    this.drawn = what;
    this.table ??= packed(this.window ? windowTable(this.window, this.spec)
      : this.values.table ?? new Uint8Array(65536));
    if (this.scratch.width !== w || this.scratch.height !== h || !this.pixels) {
      this.scratch.width = w;
      this.scratch.height = h;
      this.pixels = this.context.createImageData(w, h);
      this.words = new Uint32Array(this.pixels.data.buffer);
    }
    const { table, words } = this;
    const { values, width } = level;
    for (let y = 0, out = 0; y < h; y++) {
      let at = (y0 + y) * width + x0;
      for (let x = 0; x < w; x++) words[out++] = table[values[at++]];
    }
    this.context.putImageData(this.pixels, 0, 0);
  }
}

// How a window changes while it is dragged: to the right wider, upwards brighter.
export function dragged(start, dx, dy, slope) {
  const step = 10 ** Math.floor(Math.log10(slope));
  const least = start.function === "linear" ? Math.max(1, step) : step;
  const round = (x) => Number((Math.round(x / step) * step).toPrecision(12));
  return {
    centre: round(start.centre + (dy * start.width) / 250),
    width: Math.max(least, round(start.width * Math.exp(dx / 180))),
    function: start.function,
  };
}
