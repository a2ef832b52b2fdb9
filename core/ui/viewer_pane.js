// One pane: the picture (an SVG image, or a canvas for deep images and for frames that play),
// the overlays as vectors over it, and what a pointer, a finger and keys do there.

import { decode, element, extent, label, setHref, split, svg, thin, toPath } from "./viewer_parts.js";
import { MeasureLayer, begun, handleAt, longEnough, moved } from "./viewer_measure.js";

export class Pane {
  constructor(viewer, kind) {
    this.viewer = viewer;
    this.kind = kind; // "untouched", "overlay" or "beside"
    this.overlay = kind === "overlay";
    this.figure = element("figure", kind);
    this.caption = element("figcaption");
    this.box = element("div", "pane");
    this.box.tabIndex = 0;
    this.box.setAttribute("role", "group");
    this.svg = svg("svg");
    this.svg.setAttribute("role", "img");
    this.world = svg("g");
    this.image = svg("image", "picture");
    this.svg.append(this.world);
    this.world.append(this.image);
    this.bar = element("div", "scale");
    this.bar.append(element("span"));
    this.bar.setAttribute("aria-hidden", "true");
    this.loading = element("div", "loading");
    this.box.append(this.svg, this.loading, this.bar);
    this.figure.append(this.caption, this.box);
    this.image.addEventListener("load", () => {
      this.loaded = this.image.getAttribute("href");
      viewer.requestDraw();
    });
    this.makeHeat();
    this.makeContour();
    if (this.overlay) this.makeOverlay();
    this.listen();
  }

  // The overlay has its heat, and the untouched pane a second one where two are compared.
  makeHeat() {
    if (this.kind === "beside") return;
    this.heat = svg("image", "heatmap");
    // What is cut off is cut in the browser: a slider that moves sends no picture.
    this.cut = svg("filter");
    this.cut.id = `cut-${this.kind}`;
    for (const [name, value] of [["x", 0], ["y", 0], ["width", 1], ["height", 1]]) {
      this.cut.setAttribute(name, value);
    }
    this.cut.setAttribute("color-interpolation-filters", "sRGB");
    const transfer = svg("feComponentTransfer");
    this.strength = svg("feFuncA");
    this.strength.setAttribute("type", "table");
    transfer.append(this.strength);
    this.cut.append(transfer);
    this.world.append(this.cut, this.heat);
  }

  showHeat(href, data) {
    setHref(this.heat, href, data);
    this.heat.style.opacity = data.heatOpacity;
    const steps = Array.from({ length: 101 }, (_, i) => (i / 100 >= data.heatCut ? i / 100 : 0));
    this.strength.setAttribute("tableValues", steps.join(" "));
    if (data.heatCut > 0) this.heat.setAttribute("filter", `url(#${this.cut.id})`);
    else this.heat.removeAttribute("filter");
  }

  // Both maps of a comparison lie under the same outline.
  makeContour() {
    if (this.kind === "beside") return;
    this.vectors = svg("g");
    this.casing = svg("path", "casing");
    this.outline = svg("path", "outline");
    centred(this.vectors);
    this.vectors.append(this.casing, this.outline);
    this.world.append(this.vectors);
  }

  showContour(rings, data) {
    const d = data.contour ? rings.map((ring) => toPath(ring)).join("") : "";
    this.vectors.setAttribute("class", data.kind);
    this.casing.setAttribute("d", d);
    this.outline.setAttribute("d", d);
  }

  makeOverlay() {
    this.fill = svg("path", "fill");
    this.chords = svg("path", "chord");
    this.labels = svg("g", "labels");
    this.regionCasing = svg("path", "casing");
    this.region = svg("path", "region");
    this.stroke = svg("path", "stroke");
    this.own = svg("g", "own");
    this.vectors.prepend(this.fill);
    this.vectors.append(this.chords, this.labels, this.regionCasing, this.region, this.own, this.stroke);
  }

  // The pane that calipers are drawn on: the overlay, or the only one there is.
  get main() {
    return this.kind !== "beside" && this.viewer.panes.at(-1) === this;
  }

  update(data, both) {
    const { text, beside } = data;
    const mine = this.kind === "beside" ? beside : data;
    setHref(this.image, this.pictureOf(data), mine);
    const windowed = data.deep && this.viewer.deep.spec && !this.viewer.deep.asRead;
    const second = this.kind === "untouched" && both ? data.second : null;
    const compared = both && data.second && data.heatCaption;
    const names = {
      untouched: second?.caption ?? (windowed ? text.windowed : text.untouched),
      overlay: [compared, data.caption].filter(Boolean).join(" · ") || text.overlay,
    };
    this.caption.textContent = names[this.kind] ??
      `${beside.caption} · ${this.viewer.linkedByMm ? text.linkedMm : text.linked}`;
    this.caption.style.display = both || !this.overlay || data.caption ? "" : "none";
    this.svg.setAttribute("aria-label", {
      untouched: second ? `${second.caption}. ${data.alt}` : data.altUntouched,
      overlay: data.heat && data.heatCaption ? `${data.alt} ${data.heatCaption}.` : data.alt,
    }[this.kind] ?? beside.caption);
    this.box.setAttribute("aria-label", text.keys);
    if (this.main) {
      this.measures ??= new MeasureLayer();
      centred(this.measures.group);
      this.world.append(this.measures.group);
    } else this.measures?.group.remove();
    if (this.heat) this.showHeat(this.overlay ? data.heat : second?.heat, data);
    const rings = split(decode(data.points), data.rings);
    if (this.vectors) this.showContour(this.overlay || second ? rings : [], data);
    if (!this.overlay) return;
    this.fill.setAttribute("d", data.maskOpacity ? rings.map((ring) => toPath(ring)).join("") : "");
    this.fill.style.fillOpacity = data.maskOpacity;
    this.chords.setAttribute("d", data.chords.map((c) => `M${c[0]} ${c[1]}L${c[2]} ${c[3]}`).join(""));
    const shown = data.contour || data.maskOpacity;
    this.labels.replaceChildren(...(shown ? rings : []).flatMap((ring, i) =>
      data.labels[i] ? [label(ring, data.labels[i])] : []));
    this.showRegions(this.viewer.regions, null);
  }

  // A deep image is never a picture, but a small one of it stands in until its values are here.
  pictureOf(data) {
    if (this.kind === "beside") return data.beside.image;
    return data.deep ? data.deep.preview : data.image;
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

  setTool(tool) {
    this.box.classList.toggle("drawing", ["draw", "distance", "ellipse"].includes(tool));
    this.box.classList.toggle("windowing", tool === "window");
    this.touchAction();
  }

  touchAction() {
    // At fit, one finger scrolls the page; zoomed in or with a tool, it belongs to the image.
    const { view, fitScale } = this.viewer;
    const ours = view.scale > fitScale || (this.viewer.tool && this.kind !== "beside");
    this.box.style.touchAction = ours ? "none" : "pan-x pan-y";
  }

  // `view` is this pane's own: the pane beside has another where its image has another size.
  place(view, size) {
    this.view = view;
    this.size = size;
    this.box.style.height = `${size.h}px`;
    const device = window.devicePixelRatio;
    // Whole screen pixels, so that at 100% an image pixel is a screen pixel and nothing between.
    const whole = (at) => Math.round(at * device) / device;
    this.tx = whole(size.w / 2 - view.x * view.scale);
    this.ty = whole(size.h / 2 - view.y * view.scale);
    this.world.setAttribute("transform", `translate(${this.tx} ${this.ty}) scale(${view.scale})`);
    this.image.style.imageRendering = view.scale >= 3 ? "pixelated" : "auto";
    this.touchAction();
    if (this.overlay) this.placeLabels();
    if (this.main) this.showMeasures();
    this.showScale();
  }

  showMeasures() {
    this.measures?.show(this.viewer.measuresShown, this.view.scale);
  }

  showScale() {
    const { data } = this.viewer;
    const spacing = this.kind === "beside" ? data.beside.spacing : this.main && data.spacing;
    this.bar.hidden = !spacing;
    if (!spacing) return;
    const perMm = this.view.scale / spacing[1];
    const most = this.size.w / 4 / perMm;
    const power = 10 ** Math.floor(Math.log10(most));
    const mm = [5, 2, 1].map((n) => n * power).find((n) => n <= most);
    this.bar.style.width = `${mm * perMm}px`;
    const note = this.kind === "beside" ? "" : data.scaleNote;
    this.bar.firstChild.textContent = `${Number(mm.toPrecision(3))} mm ${note}`.trim();
  }

  // What shows the pixels now: the canvas (deep values, or a frame), else the SVG image.
  draw() {
    const { viewer, size, view } = this;
    if (!view) return;
    const { deep, player, data } = viewer;
    const frame = this.kind !== "beside" && player.loop && (viewer.elsewhere ||
      (deep.url ? !deep.values : this.loaded !== data.image)) ? player.bitmap : null;
    const deeply = this.kind !== "beside" && !viewer.elsewhere && deep.values;
    this.world.classList.toggle("under", Boolean(frame || deeply));
    this.image.style.visibility = frame || deeply || (viewer.elsewhere && this.kind !== "beside")
      ? "hidden" : "";
    const words = this.kind === "beside" ? "" : viewer.waiting();
    this.loading.hidden = !words;
    this.loading.textContent = words;
    const hidden = viewer.elsewhere ? "none" : "";
    if (this.heat) this.heat.style.display = hidden;
    if (this.vectors) this.vectors.style.display = hidden;
    if (!frame && !deeply) {
      this.canvas?.remove();
      this.canvas = null;
      return;
    }
    if (!this.canvas) {
      this.canvas = element("canvas", "raster");
      this.canvas.setAttribute("aria-hidden", "true");
      this.box.prepend(this.canvas);
      this.context = this.canvas.getContext("2d");
    }
    const device = window.devicePixelRatio;
    const [wide, high] = [Math.round(size.w * device), Math.round(size.h * device)];
    if (this.canvas.width !== wide || this.canvas.height !== high) {
      this.canvas.width = wide;
      this.canvas.height = high;
    }
    const scale = view.scale * device;
    const at = { scale, left: Math.round(this.tx * device), top: Math.round(this.ty * device),
      smooth: !viewer.sharp };
    if (deeply) deep.draw(this.context, at);
    else {
      this.context.clearRect(0, 0, wide, high);
      this.context.imageSmoothingEnabled = at.smooth;
      this.context.drawImage(frame, at.left, at.top, data.width * scale, data.height * scale);
    }
    // Where the image lies on the canvas, for whoever reads its pixels.
    Object.assign(this.canvas.dataset, { left: at.left, top: at.top, scale });
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
    const { data } = this.viewer;
    const x = (at.x - this.tx) / this.view.scale - 0.5;
    const y = (at.y - this.ty) / this.view.scale - 0.5;
    return [Math.min(data.width - 1, Math.max(0, x)), Math.min(data.height - 1, Math.max(0, y))];
  }

  listen() {
    const { box } = this;
    box.addEventListener("pointerdown", (event) => this.start(event));
    box.addEventListener("pointermove", (event) => this.move(event));
    const end = (event) => this.end(event);
    box.addEventListener("pointerup", end);
    box.addEventListener("pointercancel", end);
    box.addEventListener("contextmenu", (event) => {
      if (this.viewer.deep.url && this.kind !== "beside") event.preventDefault();
    });
    box.addEventListener("dblclick", () => this.viewer.tool || this.viewer.reset());
    box.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    box.addEventListener("keydown", (event) => this.viewer.bar.key(event));
  }

  start(event) {
    const { viewer, box } = this;
    const here = this.kind !== "beside";
    const windows = here && viewer.canWindow && (event.button === 2 || viewer.tool === "window");
    if (event.button !== 0 && !(windows && event.button === 2)) return;
    box.setPointerCapture(event.pointerId);
    const at = this.at(event);
    viewer.pointers.set(event.pointerId, at);
    if (viewer.pointers.size > 1) {
      viewer.dropStroke();
      return;
    }
    if (windows && (event.button === 2 || event.button === 0)) {
      viewer.windowing = { at, from: viewer.windowForDrag() };
      return;
    }
    if (!here || viewer.elsewhere) return;
    const point = this.toImage(at);
    if (this.main && viewer.data.measuring && viewer.tool !== "draw") {
      const reach = (event.pointerType === "touch" ? 22 : 10) / this.view.scale;
      viewer.handle = handleAt(viewer.measures, point, reach);
      if (!viewer.handle && viewer.measureTool) viewer.pendingFrom = point;
    }
    if (this.draws()) viewer.stroke = [point];
  }

  draws() {
    return this.overlay && this.viewer.tool === "draw";
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
    } else if (viewer.windowing) {
      const { at, from } = viewer.windowing;
      viewer.dragWindow(from, now.x - at.x, now.y - at.y);
    } else if (viewer.handle) {
      const [which, point] = viewer.handle;
      viewer.measures = viewer.measures.map((measure, i) =>
        i === which ? moved(measure, point, this.toImage(now)) : measure);
      viewer.showMeasures();
    } else if (viewer.pendingFrom) {
      viewer.pending = { kind: viewer.tool, points: begun(viewer.tool, viewer.pendingFrom, this.toImage(now)) };
      viewer.showMeasures();
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
    const { stroke, windowing, handle, pending } = viewer;
    viewer.stroke = viewer.windowing = viewer.handle = viewer.pending = viewer.pendingFrom = null;
    if (windowing) viewer.sendWindow();
    else if (handle || (pending && event.type === "pointerup" && longEnough(pending))) {
      viewer.sendMeasures(handle ? viewer.measures : [...viewer.measures, pending]);
    } else if (pending) viewer.showMeasures();
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
}

// Whole numbers are the centres of pixels.
function centred(group) {
  group.setAttribute("transform", "translate(0.5 0.5)");
}
