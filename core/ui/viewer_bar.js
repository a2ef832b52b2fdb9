// The toolbar, the list of keys, and what each key does.

import { button, element, say } from "./viewer_parts.js";

export class Bar {
  constructor(viewer) {
    this.viewer = viewer;
    this.box = element("div", "bar");
    this.box.setAttribute("role", "toolbar");
    this.help = element("div", "keys");
    this.help.hidden = true;
    this.help.setAttribute("role", "region");
    this.help.tabIndex = -1;
    this.help.onkeydown = (event) => event.key === "Escape" && this.showHelp(false);
    const add = (name, act) => {
      const made = button(name, act);
      this.box.append(made);
      return made;
    };
    this.buttons = {
      zoomIn: add("zoomIn", () => viewer.zoom(1.5)),
      zoomOut: add("zoomOut", () => viewer.zoom(1 / 1.5)),
      fit: add("fit", () => viewer.reset()),
      full: add("full", () => viewer.zoomTo(1 / window.devicePixelRatio)),
      invert: add("invert", () => viewer.invert()),
      screen: add("screen", () => viewer.fullScreen()),
      help: add("help", () => this.showHelp(this.help.hidden)),
      window: add("window", () => viewer.setTool("window")),
      distance: add("distance", () => viewer.setTool("distance")),
      ellipse: add("ellipse", () => viewer.setTool("ellipse")),
      draw: add("draw", () => viewer.setTool("draw")),
      undo: add("undo", () => viewer.send(viewer.regions.slice(0, -1))),
      clear: add("clear", () => viewer.send([])),
    };
    this.buttons.help.after(element("span", "gap"));
  }

  update(data) {
    const { text } = data;
    for (const [name, each] of Object.entries(this.buttons)) {
      say(each, text[name], text[name + "Title"] ?? text[name]);
    }
    this.box.setAttribute("aria-label", text.toolbar);
    this.fillHelp();
    this.show();
  }

  show() {
    const { viewer } = this;
    const { draw, undo, clear, distance, ellipse, screen, invert } = this.buttons;
    const { text, drawing, measuring, compare, most, mostMeasures } = viewer.data;
    for (const each of [draw, undo, clear]) each.hidden = !drawing;
    for (const each of [distance, ellipse]) {
      each.hidden = !measuring;
      each.disabled = viewer.elsewhere || viewer.measures.length >= mostMeasures;
    }
    this.buttons.window.hidden = !viewer.data.deep;
    this.buttons.window.disabled = !viewer.canWindow;
    screen.hidden = !document.fullscreenEnabled;
    for (const name of ["draw", "distance", "ellipse", "window"]) {
      this.buttons[name].setAttribute("aria-pressed", String(viewer.tool === name));
    }
    invert.setAttribute("aria-pressed", String(viewer.inverted));
    viewer.panesBox.classList.toggle("inverted", viewer.inverted);
    const full = viewer.regions.length >= most;
    const on = viewer.tool === "draw";
    draw.disabled = viewer.elsewhere || compare === "original" || (full && !on);
    const words = on ? text.cancel : viewer.regions.length ? text.another : text.draw;
    say(draw, words);
    draw.title = on ? text.drawHelp : words;
    undo.disabled = clear.disabled = viewer.elsewhere || !viewer.regions.length;
    undo.hidden ||= !viewer.regions.length;
    if (viewer.regions.length < 2) clear.hidden = true;
  }

  fillHelp() {
    const list = element("dl");
    for (const [keys, meaning] of this.viewer.data.help) {
      list.append(element("dt", "", keys), element("dd", "", meaning));
    }
    this.help.replaceChildren(list);
    this.help.setAttribute("aria-label", this.viewer.data.text.helpTitle);
  }

  showHelp(on) {
    this.help.hidden = !on;
    this.buttons.help.setAttribute("aria-expanded", String(on));
    (on ? this.help : this.buttons.help).focus();
  }

  key(event) {
    const step = 40;
    const { viewer } = this;
    const { player, data } = viewer;
    const tool = (name) => () => this.buttons[name].hidden || this.buttons[name].disabled ||
      viewer.setTool(name);
    const acts = {
      "+": () => viewer.zoom(1.25), "=": () => viewer.zoom(1.25), "-": () => viewer.zoom(0.8),
      "0": () => viewer.reset(), "1": () => viewer.zoomTo(1 / window.devicePixelRatio),
      ArrowLeft: () => viewer.pan(step, 0), ArrowRight: () => viewer.pan(-step, 0),
      ArrowUp: () => viewer.pan(0, step), ArrowDown: () => viewer.pan(0, -step),
      Escape: () => viewer.setTool(null),
      i: () => viewer.invert(), f: () => viewer.fullScreen(), "?": () => this.showHelp(true),
      d: tool("distance"), e: tool("ellipse"),
    };
    if (data.deep) Object.assign(acts, { w: tool("window"), r: () => viewer.resetWindow() });
    if (player.loop) {
      Object.assign(acts, { ",": () => player.step(-1), ".": () => player.step(1),
        " ": () => player.toggle() });
    }
    const stepping = player.loop && event.shiftKey && /^Arrow(Left|Right)$/.test(event.key);
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const act = stepping ? () => player.step(event.key === "ArrowLeft" ? -1 : 1) : acts[name];
    if (event.ctrlKey || event.metaKey || event.altKey || !act) return;
    // Nothing to pan: let it scroll.
    if (event.key.startsWith("Arrow") && !stepping && viewer.view.scale <= viewer.fitScale) return;
    event.preventDefault();
    // Streamlit's own shortcuts must not fire as well.
    event.stopPropagation();
    act();
  }
}
