// The row of controls for a deep image: presets, width and centre as numbers, and back.

import { button, element, plain, say } from "./viewer_parts.js";

export class WindowRow {
  constructor(viewer) {
    this.viewer = viewer;
    this.box = element("div", "row window-row");
    this.box.setAttribute("role", "group");
    this.preset = element("select");
    this.preset.onchange = () => this.choose();
    this.width = this.number();
    this.centre = this.number();
    this.unit = element("span");
    this.reset = button("reset", () => viewer.resetWindow());
    this.words = [element("span"), element("span"), element("span")];
    for (const [i, field] of [this.preset, this.width, this.centre].entries()) {
      const named = element("label");
      named.append(this.words[i], field);
      this.box.append(named);
    }
    this.box.append(this.unit, this.reset);
  }

  number() {
    const field = element("input");
    field.type = "number";
    field.step = "any";
    field.onchange = () => this.typed();
    return field;
  }

  update({ deep, text }) {
    this.box.hidden = !deep;
    if (!deep) return;
    this.box.setAttribute("aria-label", text.windowing);
    [text.preset, text.widthShort, text.centreShort].forEach((word, i) => {
      this.words[i].textContent = word;
    });
    this.width.setAttribute("aria-label", text.windowWidth);
    this.centre.setAttribute("aria-label", text.windowCentre);
    this.unit.textContent = deep.unit;
    say(this.reset, text.resetWindow, text.resetWindowTitle);
    const option = (words, value) => {
      const made = element("option", "", words);
      made.value = value;
      return made;
    };
    this.preset.replaceChildren(
      ...(deep.read ? [] : [option(text.tableOfFile, "table")]),
      ...deep.presets.map((preset, i) => option(preset.name, String(i))),
      option(text.customWindow, "custom"),
    );
  }

  show() {
    const { deep, canWindow, data } = this.viewer;
    if (!data.deep) return;
    const { window } = deep;
    const same = (preset) => window && ["centre", "width", "function"]
      .every((name) => preset[name] === window[name]);
    const at = data.deep.presets.findIndex(same);
    this.preset.value = !window ? "table" : at >= 0 ? String(at) : "custom";
    this.preset.lastChild.hidden = this.preset.value !== "custom";
    for (const [field, value] of [[this.width, window?.width], [this.centre, window?.centre]]) {
      field.value = value === undefined ? "" : plain(value);
    }
    for (const field of [this.preset, this.width, this.centre]) field.disabled = !canWindow;
    this.reset.disabled = !canWindow || deep.asRead;
  }

  choose() {
    const { viewer } = this;
    const { value } = this.preset;
    if (value === "custom") return;
    const preset = viewer.data.deep.presets[Number(value)];
    viewer.setWindow(value === "table" ? null : {
      centre: preset.centre, width: preset.width, function: preset.function,
    });
    viewer.sendWindow();
  }

  typed() {
    const { viewer } = this;
    const [centre, width] = [this.centre, this.width].map((field) => field.valueAsNumber);
    const kind = viewer.deep.window?.function ?? "linear_exact";
    const least = kind === "linear" ? 1 : Number.MIN_VALUE;
    if (!Number.isFinite(centre) || !Number.isFinite(width) || width < least) this.show();
    else {
      viewer.setWindow({ centre, width, function: kind });
      viewer.sendWindow();
    }
  }
}
