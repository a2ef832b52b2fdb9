// The image viewer, drawn from the plain data of core/ui/figure.py; nothing else is loaded.

import { Bar } from "./viewer_bar.js";
import { Deep, dragged } from "./viewer_deep.js";
import { LoopRow, Player } from "./viewer_loop.js";
import { MeasureList, sameMeasures } from "./viewer_measure.js";
import { Pane } from "./viewer_pane.js";
import { clamp, decode, element, fill, plain } from "./viewer_parts.js";
import { CSS } from "./viewer_style.js";
import { WindowRow } from "./viewer_window.js";

const MAX_SCALE = 40;
const ANSWER = 8000; // milliseconds after which what Python says counts in any case
const viewers = new WeakMap();

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
    this.tool = null; // "draw", "distance", "ellipse", "window" or none
    this.stroke = this.windowing = this.handle = this.pending = this.pendingFrom = null;
    this.regions = [];
    this.measures = [];
    this.inverted = false;
    this.deep = new Deep(() => this.valuesChanged());
    this.player = new Player({ changed: () => this.frameChanged(), rested: (f) => this.sendFrame(f) });
    this.bar = new Bar(this);
    this.panesBox = element("div", "panes");
    this.loopRow = new LoopRow(this.player);
    this.windowRow = new WindowRow(this);
    this.state = element("div", "state");
    this.notes = element("div", "notes");
    this.notes.setAttribute("role", "status");
    this.list = new MeasureList((i) => this.sendMeasures(this.measures.filter((_, at) => at !== i)));
    root.replaceChildren(element("style", "", CSS), this.bar.box, this.bar.help, this.panesBox, this.loopRow.box,
      this.windowRow.box, this.state, this.notes, this.list.list);
    this.untouched = new Pane(this, "untouched");
    this.overlay = new Pane(this, "overlay");
    this.beside = new Pane(this, "beside");
    this.observer = new ResizeObserver(() => this.layout());
    this.observer.observe(root);
    this.onResize = () => this.layout();
    window.addEventListener("resize", this.onResize);
    root.addEventListener("fullscreenchange", this.onResize);
  }

  close() {
    this.player.open(null);
    this.observer.disconnect();
    window.removeEventListener("resize", this.onResize);
  }

  update(data, setTriggerValue) {
    const before = this.data;
    this.data = data;
    this.setTriggerValue = setTriggerValue;
    // The frames of one loop are one picture: zoom, window and inversion stay.
    const series = data.loop?.url ?? data.image;
    const another = !before || this.series !== series || before.width !== data.width;
    this.series = series;
    if (another) {
      this.view.fit = true;
      this.inverted = false;
    }
    const changed = another || before.image !== data.image;
    const away = changed || (!data.drawing && this.tool === "draw");
    if (away) {
      this.tool = null;
      this.dropStroke();
    }
    this.regions = data.regions.map(decode);
    this.takeMeasures(data.measures, changed);
    this.player.open(data.loop, data);
    if (data.deep) this.deep.open(data.image, data.deep, data, series);
    else this.deep.close();
    const panes = [];
    if (data.compare === "both" && data.beside && !data.second) panes.push(this.beside);
    else if (data.compare !== "overlay") panes.push(this.untouched);
    if (data.compare !== "original") panes.push(this.overlay);
    if (panes.length !== this.panes?.length || panes[0] !== this.panes[0]) {
      this.panes = panes;
      this.panesBox.replaceChildren(...panes.map((pane) => pane.figure));
    }
    for (const pane of panes) pane.update(data, panes.length > 1);
    this.loopRow.update(data.text);
    this.windowRow.update(data);
    this.bar.update(data);
    // Only now: what shows a tool put away shows the window too, which the rows must have made.
    if (away) this.setTool(null);
    this.layout();
  }

  // Choose a tool, or put it away where it is in hand.
  setTool(tool) {
    this.tool = tool && tool !== this.tool ? tool : null;
    this.dropStroke();
    if (!this.panes) return;
    for (const pane of [this.untouched, this.overlay]) pane.setTool(this.tool);
    this.overlay.showRegions(this.regions, null);
    this.bar.show();
    this.showState();
  }

  get measureTool() {
    return this.tool === "distance" || this.tool === "ellipse";
  }

  dropStroke() {
    this.stroke = this.windowing = this.handle = this.pending = this.pendingFrom = null;
  }

  // ---- what goes to Python: until it answers, things show as they were drawn ----

  tell(name, value) {
    this.setTriggerValue(name, { image: this.data.image, ...value });
  }

  send(regions) {
    this.regions = regions;
    this.setTool(null);
    this.tell("regions", { regions });
  }

  // An answer to what was drawn before the last stroke must not take that stroke away.
  takeMeasures(measures, another) {
    const { waits } = this;
    const answered = !waits || another || performance.now() - waits.at > ANSWER ||
      sameMeasures(measures, waits.measures);
    if (answered) this.waits = null;
    if (answered && !this.handle) this.measures = measures;
  }

  sendMeasures(measures) {
    this.measures = measures;
    this.waits = { measures, at: performance.now() };
    this.showMeasures();
    this.bar.show();
    this.tell("measures", { measures: measures.map(({ kind, points }) => ({ kind, points })) });
  }

  // What is measured on the frame in view, with the one that is being drawn.
  get measuresShown() {
    if (this.elsewhere) return [];
    return this.pending ? [...this.measures, this.pending] : this.measures;
  }

  showMeasures() {
    for (const pane of this.panes) if (pane.main) pane.showMeasures();
    this.list.show(this.measuresShown, this.data);
  }

  sendFrame(frame) {
    this.tell("frame", { loop: this.data.loop.url, frame });
  }

  sendWindow() {
    this.tell("window", this.deep.window && !this.deep.asRead ? this.deep.window : { asRead: true });
  }

  // ---- window, inversion, frames ----

  get canWindow() {
    return Boolean(this.data?.deep) && !this.elsewhere && Boolean(this.deep.values);
  }

  get elsewhere() {
    return this.player.elsewhere;
  }

  valuesChanged() {
    this.bar.show();
    this.layout();
  }

  setWindow(window) {
    this.deep.choose(window);
    this.requestDraw();
    this.showState();
  }

  // A drag begins at the window in force; the table of a file has none, so the last preset then.
  windowForDrag() {
    return this.deep.window ?? this.data.deep.presets.at(-1);
  }

  dragWindow(from, dx, dy) {
    this.setWindow(dragged(from, dx, dy, this.data.deep.slope));
  }

  resetWindow() {
    this.setWindow(this.data.deep.read);
    this.sendWindow();
  }

  windowWords(window) {
    const { text, deep } = this.data;
    if (!window) return text.tableOfFile;
    const numbers = `${text.widthShort} ${plain(window.width)} ${text.centreShort} ${plain(window.centre)}`;
    const kind = window.function === "sigmoid" ? ` (${text.sigmoid})` : "";
    return `${numbers}${deep.unit ? ` ${deep.unit}` : ""}${kind}`;
  }

  invert() {
    this.inverted = !this.inverted;
    this.bar.show();
    this.showState();
  }

  frameChanged() {
    if (!this.data) return;
    if (this.elsewhere && this.tool) this.setTool(null);
    this.requestDraw();
    this.loopRow.show();
    if (this.wasElsewhere === this.elsewhere && this.player.playing) return;
    this.wasElsewhere = this.elsewhere;
    this.showMeasures();
    this.bar.show();
    this.showState();
  }

  // What is still on its way, or cannot come.
  waiting() {
    const { text, deep, loop } = this.data;
    const { player } = this;
    if (loop && player.failed.has(player.index) && !player.playing) return text.noFrame;
    if (loop && !player.playing && player.index !== player.shown) return text.loadingFrame;
    if (this.elsewhere) return player.bitmap ? "" : text.loadingFrame;
    if (deep && this.deep.failed) return text.noValues;
    return deep && !this.deep.values && !player.bitmap ? text.loadingValues : "";
  }

  requestDraw() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = null;
      for (const pane of this.panes ?? []) pane.draw();
    });
  }

  // ---- zoom and pan: view.x, view.y is the image point at the middle of a pane ----

  get isFullScreen() {
    return this.root.getRootNode().fullscreenElement === this.root;
  }

  fullScreen() {
    if (this.isFullScreen) document.exitFullscreen();
    else this.root.requestFullscreen?.();
  }

  get linkedByMm() {
    const even = (spacing) => spacing && Math.abs(spacing[0] / spacing[1] - 1) < 0.01;
    return Boolean(even(this.data.spacing) && even(this.data.beside?.spacing));
  }

  paneSize() {
    const { width, height } = this.data;
    const style = getComputedStyle(this.root);
    const inner = this.root.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const narrow = inner <= 600;
    const columns = narrow ? 1 : this.panes.length;
    const w = Math.max(80, (inner - 8 * (columns - 1)) / columns);
    const stacked = narrow && this.panes.length > 1;
    if (this.isFullScreen) {
      const taken = [...this.root.children].reduce((sum, child) =>
        child === this.panesBox || child === this.bar.help ? sum : sum + child.offsetHeight, 16);
      const left = (window.innerHeight - taken) / (stacked ? 2 : 1) - 28;
      return { w, h: Math.round(Math.max(200, left)) };
    }
    const most = Math.max(240, window.innerHeight * (stacked ? 0.42 : 0.72));
    return { w, h: Math.round(Math.min((w * height) / width, most)) };
  }

  layout() {
    if (!this.data || !this.root.clientWidth) return;
    this.size = this.paneSize();
    const { w, h } = this.size;
    const { width, height, beside, spacing } = this.data;
    this.fitScale = Math.min(w / width, h / height);
    const both = this.panes.includes(this.beside);
    const fitBeside = both ? Math.min(w / beside.width, h / beside.height) : 1;
    // By millimetres both images must be whole in their panes at "fit".
    const ratio = both && this.linkedByMm ? beside.spacing[1] / spacing[1] : fitBeside / this.fitScale;
    if (both && this.linkedByMm) this.fitScale = Math.min(this.fitScale, fitBeside / ratio);
    const view = this.view;
    // An image smaller than its pane can still be looked at pixel by pixel.
    this.leastScale = Math.min(this.fitScale, 1 / window.devicePixelRatio);
    if (view.fit || view.scale < this.leastScale) {
      view.fit = true;
      view.scale = this.fitScale;
    }
    view.scale = Math.min(view.scale, Math.max(MAX_SCALE, this.fitScale));
    // The image never leaves the pane: half a pane of it stays in view at the least.
    const keep = (at, length, pane) => {
      const half = pane / view.scale / 2;
      return half * 2 >= length ? length / 2 : clamp(at, half, length - half);
    };
    view.x = keep(view.x, width, w);
    view.y = keep(view.y, height, h);
    for (const pane of this.panes) {
      pane.place(pane === this.beside ? this.besideView(ratio) : view, this.size);
    }
    this.showState();
    this.requestDraw();
  }

  besideView(ratio) {
    const { view } = this;
    const { width, height, beside } = this.data;
    if (!this.linkedByMm) {
      return { x: (view.x / width) * beside.width, y: (view.y / height) * beside.height,
        scale: view.scale * ratio };
    }
    return { x: beside.width / 2 + (view.x - width / 2) / ratio,
      y: beside.height / 2 + (view.y - height / 2) / ratio, scale: view.scale * ratio };
  }

  // Whether each image pixel is drawn as a square. Deep images are also where the scale is a
  // whole number of screen pixels: then nothing stands between the value and what is seen.
  get sharp() {
    const scale = this.view.scale * window.devicePixelRatio;
    const whole = scale >= 1 - 1e-6 && Math.abs(scale - Math.round(scale)) < 1e-6;
    return this.view.scale >= 3 || (Boolean(this.data.deep || this.player.loop) && whole);
  }

  showState() {
    const { text, width, height, deep, loop, note } = this.data;
    const scale = this.view.scale * window.devicePixelRatio;
    const tips = { draw: text.drawHelp, distance: text.distanceHelp, ellipse: text.ellipseHelp,
      window: text.windowHelp };
    const parts = [
      `${Math.round(scale * 100)}%${this.view.fit ? ` (${text.fitted})` : ""}`,
      `${width} × ${height} px`,
      this.sharp ? text.sharp : text.smooth,
      ...(deep && !this.elsewhere ? [this.windowWords(this.deep.window)] : []),
      ...(this.inverted ? [text.inverted] : []),
      ...(this.data.spacing ? [fill(text.bar, { length: this.panes.at(-1).bar.textContent })] : []),
      ...(note ? [note] : []),
    ];
    this.state.textContent = parts.join(" · ");
    const notes = [];
    if (deep && !this.elsewhere && !this.deep.asRead) {
      notes.push(fill(text.viewingWindow, { window: this.windowWords(deep.read) }));
    }
    if (this.tool) notes.push(tips[this.tool]);
    if (this.elsewhere) {
      notes.push(fill(text.otherFrame, { frame: loop.frame + 1 }));
      if (deep) notes.push(fill(text.eightBit, { window: this.windowWords(deep.read) }));
    }
    const said = notes.join(" ");
    if (this.notes.textContent !== said) this.notes.textContent = said;
    this.windowRow.show();
    this.list.show(this.measuresShown, this.data);
  }

  zoom(factor, at) {
    const { view } = this;
    const before = view.scale;
    let after = clamp(before * factor, this.leastScale, MAX_SCALE);
    // On the way it stops at the whole image.
    if ((before - this.fitScale) * (after - this.fitScale) < 0) after = this.fitScale;
    if (at) {
      // Keep the image point under the pointer where it is.
      const dx = at.x - this.size.w / 2;
      const dy = at.y - this.size.h / 2;
      view.x += dx / before - dx / after;
      view.y += dy / before - dy / after;
    }
    view.scale = after;
    view.fit = after === this.fitScale;
    this.layout();
  }

  zoomTo(scale) {
    const { view } = this;
    view.scale = clamp(scale, this.leastScale, MAX_SCALE);
    view.fit = view.scale === this.fitScale;
    this.layout();
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
