// The image viewer: one or two panes with one zoom, overlays as vectors, drawing by hand.
// Plain data comes from core/ui/figure.py. Nothing here loads anything but the pictures it names.

const SVG = "http://www.w3.org/2000/svg";
const MAX_SCALE = 40;
const viewers = new WeakMap();

const CSS = `
.overread-viewer { font: 400 0.875rem/1.4 var(--st-font, sans-serif);
  color: var(--st-text-color, #222); container-type: inline-size; }
.bar { display: flex; flex-wrap: wrap; gap: 0.25rem; align-items: center; padding: 0 0 0.4rem; }
.bar button { font: inherit; color: inherit; min-width: 2.5rem; min-height: 2.5rem;
  padding: 0 0.7rem; cursor: pointer; border-radius: var(--st-button-radius, 0.5rem);
  background: var(--st-background-color, #fff);
  border: 1px solid var(--st-border-color, #8886); }
.bar button:hover:enabled { border-color: var(--st-primary-color, #06c); }
.bar button:focus-visible, .pane:focus-visible {
  outline: 3px solid var(--st-primary-color, #06c); outline-offset: 1px; }
.bar button[aria-pressed=true] { background: var(--st-primary-color, #06c); color: #fff; }
.bar button:disabled { opacity: 0.45; cursor: default; }
.gap { flex: 1 1 auto; }
.panes { display: flex; gap: 0.5rem; }
@container (max-width: 600px) { .panes { flex-direction: column; } }
figure { margin: 0; flex: 1 1 0; min-width: 0; }
figcaption { font-size: 0.8rem; padding: 0 0 0.15rem; }
.pane { background: #000; overflow: hidden; border-radius: 0.25rem; cursor: grab;
  user-select: none; -webkit-user-select: none; }
.pane:active { cursor: grabbing; }
.pane.drawing { cursor: crosshair; }
svg { display: block; width: 100%; height: 100%; }
path, line { fill: none; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
.casing { stroke: #000; stroke-opacity: 0.65; stroke-width: 4.5; }
.lesion .outline { stroke: #56b4e9; stroke-width: 2; }
.lesion .fill { fill: #56b4e9; fill-rule: evenodd; }
.heat .outline { stroke: #f5a623; stroke-width: 2; stroke-dasharray: 8 5; }
.heat .fill { fill: #f5a623; fill-rule: evenodd; }
.chord { stroke: #fff; stroke-width: 1.5; stroke-dasharray: 2 3; }
.region { stroke: #f0e442; stroke-width: 3; stroke-dasharray: 1 6; stroke-linecap: round; }
.stroke { stroke: #f0e442; stroke-width: 2.5; }
text { fill: #fff; stroke: #000; stroke-width: 0.22em; paint-order: stroke; text-anchor: middle;
  font-weight: 700; font-family: var(--st-font, sans-serif); }
.state { padding: 0.35rem 0 0; font-size: 0.8rem; }
`;

export function render(component) {
  const root = component.parentElement.querySelector(".overread-viewer");
  if (!root) return;
  let viewer = viewers.get(root);
  if (!viewer) {
    viewer = new Viewer(root);
    viewers.set(root, viewer);
  }
  viewer.update(component.data, component.setTriggerValue);
}

export function unmount(component) {
  const root = component.parentElement.querySelector(".overread-viewer");
  viewers.get(root)?.close();
  viewers.delete(root);
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.data = null;
    this.view = { x: 0, y: 0, scale: 1, fit: true };
    this.pointers = new Map();
    this.drawing = false;
    this.stroke = null;
    this.regions = [];
    const style = document.createElement("style");
    style.textContent = CSS;
    this.bar = element("div", "bar");
    this.bar.setAttribute("role", "toolbar");
    this.panesBox = element("div", "panes");
    this.state = element("div", "state");
    root.replaceChildren(style, this.bar, this.panesBox, this.state);
    this.makeBar();
    this.untouched = new Pane(this, false);
    this.overlay = new Pane(this, true);
    this.observer = new ResizeObserver(() => this.layout());
    this.observer.observe(root);
    this.onResize = () => this.layout();
    window.addEventListener("resize", this.onResize);
  }

  close() {
    this.observer.disconnect();
    window.removeEventListener("resize", this.onResize);
  }

  makeBar() {
    const button = (name, act) => {
      const made = element("button", name);
      made.type = "button";
      made.onclick = act;
      this.bar.append(made);
      return made;
    };
    this.buttons = {
      zoomIn: button("zoomIn", () => this.zoom(1.5)),
      zoomOut: button("zoomOut", () => this.zoom(1 / 1.5)),
      fit: button("fit", () => this.reset()),
      full: button("full", () => this.zoomTo(1 / window.devicePixelRatio)),
      draw: button("draw", () => this.setDrawing(!this.drawing)),
      undo: button("undo", () => this.send(this.regions.slice(0, -1))),
      clear: button("clear", () => this.send([])),
    };
    this.buttons.full.after(element("span", "gap"));
  }

  update(data, setTriggerValue) {
    const before = this.data;
    this.data = data;
    this.setTriggerValue = setTriggerValue;
    const text = data.text;
    for (const [name, button] of Object.entries(this.buttons)) {
      button.textContent = text[name];
      const title = text[name + "Title"] ?? text[name];
      button.title = title;
      button.setAttribute("aria-label", title);
    }
    this.bar.setAttribute("aria-label", text.toolbar);
    const another = !before || before.image !== data.image;
    if (another) {
      this.view.fit = true;
      this.setDrawing(false);
    }
    if (!data.drawing && this.drawing) this.setDrawing(false);
    this.regions = data.regions.map(decode);
    const panes = [];
    if (data.compare !== "overlay") panes.push(this.untouched);
    if (data.compare !== "original") panes.push(this.overlay);
    if (panes.length !== this.panes?.length || panes[0] !== this.panes[0]) {
      this.panes = panes;
      this.panesBox.replaceChildren(...panes.map((pane) => pane.figure));
    }
    for (const pane of panes) pane.update(data, panes.length > 1);
    this.showButtons();
    this.layout();
  }

  showButtons() {
    const { draw, undo, clear } = this.buttons;
    const { text, drawing, compare, most } = this.data;
    for (const button of [draw, undo, clear]) button.style.display = drawing ? "" : "none";
    const full = this.regions.length >= most;
    draw.disabled = compare === "original" || (full && !this.drawing);
    draw.setAttribute("aria-pressed", String(this.drawing));
    const words = this.drawing ? text.cancel : this.regions.length ? text.another : text.draw;
    draw.textContent = words;
    draw.setAttribute("aria-label", words);
    draw.title = this.drawing ? text.drawHelp : words;
    undo.disabled = clear.disabled = !this.regions.length;
    if (this.regions.length < 2) clear.style.display = "none";
  }

  setDrawing(on) {
    this.drawing = on;
    this.stroke = null;
    if (!this.data) return;
    this.overlay.setDrawing(on);
    this.overlay.showRegions(this.regions, null);
    this.showButtons();
    this.showState();
  }

  // Send all regions; Python answers with what it made of them. Until then they show as drawn.
  send(regions) {
    this.regions = regions;
    this.setDrawing(false);
    this.setTriggerValue("regions", { image: this.data.image, regions });
  }

  // ---- zoom and pan: view.x, view.y is the image point at the middle of a pane ----

  paneSize() {
    const { width, height } = this.data;
    const narrow = this.root.clientWidth <= 600;
    const columns = narrow ? 1 : this.panes.length;
    const w = Math.max(80, (this.root.clientWidth - 8 * (columns - 1)) / columns);
    const most = Math.max(240, window.innerHeight * (narrow && this.panes.length > 1 ? 0.42 : 0.72));
    return { w, h: Math.round(Math.min((w * height) / width, most)) };
  }

  layout() {
    if (!this.data || !this.root.clientWidth) return;
    this.size = this.paneSize();
    const { w, h } = this.size;
    const { width, height } = this.data;
    this.fitScale = Math.min(w / width, h / height);
    const view = this.view;
    if (view.fit || view.scale < this.fitScale) {
      view.fit = true;
      view.scale = this.fitScale;
    }
    view.scale = Math.min(view.scale, Math.max(MAX_SCALE, this.fitScale));
    // The image never leaves the pane: half a pane of it stays in view at the least.
    const keep = (at, length, pane) => {
      const half = pane / view.scale / 2;
      return half * 2 >= length ? length / 2 : Math.min(length - half, Math.max(half, at));
    };
    view.x = keep(view.x, width, w);
    view.y = keep(view.y, height, h);
    for (const pane of this.panes) pane.place(view, this.size);
    this.showState();
  }

  showState() {
    const { text, width, height } = this.data;
    const scale = this.view.scale * window.devicePixelRatio;
    const parts = [
      `${Math.round(scale * 100)}%${this.view.fit ? ` (${text.fitted})` : ""}`,
      `${width} × ${height} px`,
      this.view.scale >= 3 ? text.sharp : text.smooth,
      ...(this.data.note ? [this.data.note] : []),
    ];
    this.state.textContent = this.drawing ? text.drawHelp : parts.join(" · ");
  }

  zoom(factor, at) {
    const { view } = this;
    const before = view.scale;
    const after = Math.min(MAX_SCALE, Math.max(this.fitScale, before * factor));
    if (at) {
      // Keep the image point under the pointer where it is.
      const dx = at.x - this.size.w / 2;
      const dy = at.y - this.size.h / 2;
      view.x += dx / before - dx / after;
      view.y += dy / before - dy / after;
    }
    view.scale = after;
    view.fit = after <= this.fitScale;
    this.layout();
  }

  zoomTo(scale) {
    this.zoom(scale / this.view.scale);
  }

  reset() {
    this.view.fit = true;
    this.layout();
  }

  pan(dx, dy) {
    this.view.x -= dx / this.view.scale;
    this.view.y -= dy / this.view.scale;
    this.layout();
  }
}

class Pane {
  constructor(viewer, overlay) {
    this.viewer = viewer;
    this.overlay = overlay;
    this.figure = element("figure");
    this.caption = element("figcaption");
    this.box = element("div", "pane");
    this.box.tabIndex = 0;
    this.box.setAttribute("role", "group");
    this.svg = svg("svg");
    this.svg.setAttribute("role", "img");
    this.world = svg("g");
    this.image = svg("image");
    this.svg.append(this.world);
    this.world.append(this.image);
    this.box.append(this.svg);
    this.figure.append(this.caption, this.box);
    if (overlay) this.makeOverlay();
    this.listen();
  }

  makeOverlay() {
    this.heat = svg("image", "heatmap");
    this.vectors = svg("g");
    // Whole numbers are the centres of pixels.
    this.vectors.setAttribute("transform", "translate(0.5 0.5)");
    this.fill = svg("path", "fill");
    this.casing = svg("path", "casing");
    this.outline = svg("path", "outline");
    this.chords = svg("path", "chord");
    this.labels = svg("g", "labels");
    this.regionCasing = svg("path", "casing");
    this.region = svg("path", "region");
    this.stroke = svg("path", "stroke");
    this.own = svg("g", "own");
    this.vectors.append(this.fill, this.casing, this.outline, this.chords, this.labels,
      this.regionCasing, this.region, this.own, this.stroke);
    this.world.append(this.heat, this.vectors);
  }

  update(data, both) {
    setHref(this.image, data.image, data);
    const words = this.overlay ? data.caption || data.text.overlay : data.text.untouched;
    this.caption.textContent = words;
    this.caption.style.display = both || !this.overlay || data.caption ? "" : "none";
    this.svg.setAttribute("aria-label", this.overlay ? data.alt : data.altUntouched);
    this.box.setAttribute("aria-label", data.text.keys);
    if (!this.overlay) return;
    setHref(this.heat, data.heat, data);
    this.heat.style.opacity = data.heatOpacity;
    this.vectors.setAttribute("class", data.kind);
    const rings = split(decode(data.points), data.rings);
    const d = rings.map(toPath).join("");
    this.fill.setAttribute("d", data.maskOpacity ? d : "");
    this.fill.style.fillOpacity = data.maskOpacity;
    this.casing.setAttribute("d", data.contour ? d : "");
    this.outline.setAttribute("d", data.contour ? d : "");
    this.chords.setAttribute("d", data.chords.map((c) => `M${c[0]} ${c[1]}L${c[2]} ${c[3]}`).join(""));
    const shown = data.contour || data.maskOpacity;
    this.labels.replaceChildren(...(shown ? rings : []).flatMap((ring, i) =>
      data.labels[i] ? [label(ring, data.labels[i])] : []));
    this.showRegions(this.viewer.regions, null);
  }

  setDrawing(on) {
    this.box.classList.toggle("drawing", on);
    this.touchAction();
  }

  showRegions(regions, stroke) {
    const d = regions.map((points) => toPath(points)).join("");
    this.region.setAttribute("d", d);
    this.regionCasing.setAttribute("d", d);
    this.stroke.setAttribute("d", stroke && stroke.length > 1 ? toPath(stroke, false) : "");
    const words = this.viewer.data.text.region;
    this.own.replaceChildren(...regions.map((points) => label(points, words)));
    this.placeLabels();
  }

  touchAction() {
    // At fit, one finger scrolls the page; zoomed in or drawing, it belongs to the image.
    const ours = !this.viewer.view.fit || (this.overlay && this.viewer.drawing);
    this.box.style.touchAction = ours ? "none" : "pan-x pan-y";
  }

  place(view, size) {
    this.box.style.height = `${size.h}px`;
    const tx = size.w / 2 - view.x * view.scale;
    const ty = size.h / 2 - view.y * view.scale;
    this.world.setAttribute("transform", `translate(${tx} ${ty}) scale(${view.scale})`);
    this.image.style.imageRendering = view.scale >= 3 ? "pixelated" : "auto";
    this.touchAction();
    if (!this.overlay) return;
    this.placeLabels();
  }

  placeLabels() {
    const px = 15 / this.viewer.view.scale;
    for (const text of [...this.labels.children, ...this.own.children]) {
      text.style.fontSize = `${px}px`;
      text.setAttribute("y", Math.max(Number(text.dataset.y) - px * 0.45, px * 1.1));
    }
  }

  // Screen position inside the pane, and image pixel (whole numbers at the centres).
  at(event) {
    const box = this.box.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  toImage(at) {
    const { view, size, data } = this.viewer;
    const x = (at.x - size.w / 2) / view.scale + view.x - 0.5;
    const y = (at.y - size.h / 2) / view.scale + view.y - 0.5;
    return [Math.min(data.width - 1, Math.max(0, x)), Math.min(data.height - 1, Math.max(0, y))];
  }

  listen() {
    const { viewer, box } = this;
    box.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      box.setPointerCapture(event.pointerId);
      viewer.pointers.set(event.pointerId, this.at(event));
      if (viewer.pointers.size > 1) viewer.stroke = null;
      else if (this.draws()) viewer.stroke = [this.toImage(this.at(event))];
    });
    box.addEventListener("pointermove", (event) => this.move(event));
    const end = (event) => this.end(event);
    box.addEventListener("pointerup", end);
    box.addEventListener("pointercancel", end);
    box.addEventListener("dblclick", () => viewer.drawing || viewer.reset());
    box.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    box.addEventListener("keydown", (event) => this.key(event));
  }

  draws() {
    return this.overlay && this.viewer.drawing;
  }

  move(event) {
    const { viewer } = this;
    const last = viewer.pointers.get(event.pointerId);
    if (!last) return;
    const now = this.at(event);
    if (viewer.pointers.size === 2) {
      const [other] = [...viewer.pointers].filter(([id]) => id !== event.pointerId);
      const span = (p) => Math.hypot(p.x - other[1].x, p.y - other[1].y) || 1;
      const middle = { x: (now.x + other[1].x) / 2, y: (now.y + other[1].y) / 2 };
      viewer.pan((now.x - last.x) / 2, (now.y - last.y) / 2);
      viewer.zoom(span(now) / span(last), middle);
    } else if (viewer.stroke) {
      const events = event.getCoalescedEvents?.() ?? [];
      for (const each of events.length ? events : [event]) {
        viewer.stroke.push(this.toImage(this.at(each)));
      }
      this.showRegions(viewer.regions, viewer.stroke);
    } else if (!this.draws()) {
      viewer.pan(now.x - last.x, now.y - last.y);
    }
    viewer.pointers.set(event.pointerId, now);
  }

  end(event) {
    const { viewer } = this;
    viewer.pointers.delete(event.pointerId);
    const stroke = viewer.stroke;
    viewer.stroke = null;
    if (!stroke) return;
    const points = stroke.map(([x, y]) => [Math.round(x), Math.round(y)])
      .filter(([x, y], i, all) => !i || x !== all[i - 1][0] || y !== all[i - 1][1]);
    if (event.type === "pointerup" && points.length >= 3 && extent(points) >= 3) {
      viewer.send([...viewer.regions, thin(points, 4000)]);
    } else {
      this.showRegions(viewer.regions, null);
    }
  }

  wheel(event) {
    // The wheel scrolls the page unless the image has the focus or Ctrl is held (as a pinch on a
    // trackpad does): a page that cannot be scrolled past its image is a trap.
    const { viewer } = this;
    const focused = this.box.getRootNode().activeElement === this.box;
    if (!event.ctrlKey && !event.metaKey && !focused) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 30 : 1;
    viewer.zoom(Math.exp((-event.deltaY * lines) / 400), this.at(event));
  }

  key(event) {
    const { viewer } = this;
    const step = 40;
    const acts = {
      "+": () => viewer.zoom(1.25), "=": () => viewer.zoom(1.25), "-": () => viewer.zoom(0.8),
      "0": () => viewer.reset(), "1": () => viewer.zoomTo(1 / window.devicePixelRatio),
      ArrowLeft: () => viewer.pan(step, 0), ArrowRight: () => viewer.pan(-step, 0),
      ArrowUp: () => viewer.pan(0, step), ArrowDown: () => viewer.pan(0, -step),
      Escape: () => viewer.setDrawing(false),
    };
    if (event.ctrlKey || event.metaKey || event.altKey || !acts[event.key]) return;
    if (event.key.startsWith("Arrow") && viewer.view.fit) return; // nothing to pan: let it scroll
    event.preventDefault();
    // Streamlit's own shortcuts must not fire as well.
    event.stopPropagation();
    acts[event.key]();
  }
}

function element(name, className) {
  const made = document.createElement(name);
  if (className) made.className = className;
  return made;
}

function svg(name, className) {
  const made = document.createElementNS(SVG, name);
  if (className) made.setAttribute("class", className);
  return made;
}

function setHref(image, href, { width, height }) {
  image.setAttribute("width", width);
  image.setAttribute("height", height);
  image.setAttribute("preserveAspectRatio", "none");
  if (!href) image.removeAttribute("href");
  else if (image.getAttribute("href") !== href) image.setAttribute("href", href);
}

// {dtype: "i2", bdata: base64 of little-endian int16 x, y, x, y, …} to [[x, y], …].
function decode({ bdata }) {
  const bytes = Uint8Array.from(atob(bdata), (c) => c.charCodeAt(0));
  const numbers = new DataView(bytes.buffer);
  const points = [];
  for (let i = 0; i + 3 < bytes.length; i += 4) {
    points.push([numbers.getInt16(i, true), numbers.getInt16(i + 2, true)]);
  }
  return points;
}

function split(points, lengths) {
  let start = 0;
  return lengths.map((length) => points.slice(start, (start += length)));
}

function toPath(points, closed = true) {
  return `M${points.map(([x, y]) => `${x} ${y}`).join("L")}${closed ? "Z" : ""}`;
}

function label(ring, words) {
  const top = ring.reduce((best, point) => (point[1] < best[1] ? point : best));
  const made = svg("text");
  made.textContent = words;
  made.setAttribute("x", top[0]);
  made.dataset.y = top[1];
  return made;
}

function extent(points) {
  const range = (i) => {
    const all = points.map((point) => point[i]);
    return Math.max(...all) - Math.min(...all);
  };
  return Math.min(range(0), range(1));
}

function thin(points, most) {
  const step = Math.ceil(points.length / most);
  return points.filter((_, i) => i % step === 0);
}
