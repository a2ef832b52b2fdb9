// Loops: frames come by address when they are needed, and play at the recorded rate.

import { button, decodeFloats, element, fill, say, setIcon } from "./viewer_parts.js";

const UNKNOWN_RATE = 15;
const AT_ONCE = 4; // frames on their way at the same time
const AHEAD = 12; // frames fetched before they are due
const REST = 300; // milliseconds without a move after which a frame is meant
const ANSWER = 8000; // milliseconds within which an older answer does not move the frame
const MEMORY = 128 * 2 ** 20; // decoded frames

export class Player {
  constructor({ changed, rested }) {
    this.changed = changed; // another frame is to be drawn, or there is something to say
    this.rested = rested; // a person stopped at this frame
    this.loop = null;
    this.playing = false;
    this.bitmaps = new Map();
    this.loading = new Map();
    this.failed = new Set();
    this.latency = 0.05;
    this.tick = this.tick.bind(this);
  }

  open(loop, size) {
    const another = loop?.url !== this.loop?.url;
    const before = this.loop?.frame;
    this.loop = loop;
    if (another) {
      this.reset();
      if (!loop) return;
      this.shown = this.index = loop.frame;
      this.starts = loop.starts && decodeFloats(loop.starts);
      this.rate = loop.rate ?? UNKNOWN_RATE;
      this.most = Math.min(400, Math.max(2 * AHEAD, Math.floor(MEMORY / (size.width * size.height * 4))));
    } else if (loop && !this.playing) {
      const waiting = this.asked && performance.now() - this.asked.at < ANSWER;
      if (this.asked?.frame === loop.frame) this.asked = null;
      else if (!waiting && !this.timer && before !== loop.frame) this.jump(loop.frame);
    }
  }

  reset() {
    this.playing = false;
    clearTimeout(this.timer);
    this.timer = this.asked = null;
    for (const loading of this.loading.values()) loading.abort();
    for (const bitmap of this.bitmaps.values()) bitmap.close();
    this.loading.clear();
    this.bitmaps.clear();
    this.failed.clear();
  }

  // Whether what is on screen is not the frame that Python's outlines belong to.
  get elsewhere() {
    return Boolean(this.loop) && (this.playing || this.shown !== this.loop.frame);
  }

  get bitmap() {
    return this.bitmaps.get(this.shown) ?? null;
  }

  time(frame) {
    return this.starts ? this.starts[frame] : frame / this.rate;
  }

  get period() {
    const last = this.loop.count - 1;
    return this.time(last) + (last ? this.time(last) / last : 1 / this.rate);
  }

  frameAt(time) {
    if (!this.starts) return Math.min(this.loop.count - 1, Math.floor(time * this.rate + 1e-6));
    let low = 0;
    let high = this.loop.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle] <= time + 1e-6) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  toggle() {
    if (this.playing) this.stop();
    else this.play();
  }

  play() {
    if (!this.loop || this.playing) return;
    clearTimeout(this.timer);
    this.timer = this.asked = null;
    this.playing = true;
    this.begun = performance.now() - this.time(this.shown) * 1000;
    this.drawn = [];
    this.due = this.shown;
    requestAnimationFrame(this.tick);
    this.changed();
  }

  stop() {
    if (!this.playing) return;
    this.playing = false;
    this.index = this.shown;
    this.rest(0);
    this.changed();
  }

  tick(now) {
    if (!this.playing || !this.loop) return;
    const { count } = this.loop;
    const time = (Math.max(0, now - this.begun) / 1000) % this.period;
    const due = this.frameAt(time);
    // The clock never waits: of what has come, the frame nearest before the due one is shown.
    const behind = (due - this.shown + count) % count;
    for (let back = 0; back < behind; back++) {
      const frame = (due - back + count) % count;
      if (!this.bitmaps.has(frame)) continue;
      this.shown = this.index = frame;
      this.drawn.push(now);
      this.changed();
      break;
    }
    this.fetchAhead(due);
    requestAnimationFrame(this.tick);
  }

  // Frames reached per second, over the last two seconds.
  reached(now = performance.now()) {
    this.drawn = this.drawn.filter((at) => now - at < 2000);
    if (this.drawn.length < 2) return 0;
    return ((this.drawn.length - 1) * 1000) / (this.drawn.at(-1) - this.drawn[0]);
  }

  fetchAhead(due) {
    const { count } = this.loop;
    // Where frames come slower than they are due, some are left out instead of all coming late.
    const rate = (count - 1) / (this.time(count - 1) || 1);
    const stride = Math.max(1, Math.ceil((0.9 * rate * this.latency) / AT_ONCE));
    const lead = stride > 1 ? Math.ceil(rate * this.latency) : 1;
    const far = Math.min(AHEAD * stride + lead, count - 1);
    for (let next = lead; next <= far && this.loading.size < AT_ONCE; next += stride) {
      this.fetch((due + next) % count);
    }
  }

  fetch(frame) {
    if (this.bitmaps.has(frame) || this.loading.has(frame) || this.failed.has(frame)) return;
    const abort = new AbortController();
    this.loading.set(frame, abort);
    const begun = performance.now();
    const { loop } = this;
    this.load(loop.url.replace("{frame}", frame), abort.signal).then(
      (bitmap) => {
        if (this.loop?.url !== loop.url) return bitmap.close();
        this.latency += 0.2 * ((performance.now() - begun) / 1000 - this.latency);
        this.keep(frame, bitmap);
      },
      (error) => {
        if (error.name !== "AbortError" && this.loop?.url === loop.url) this.failed.add(frame);
      },
    ).finally(() => {
      if (this.loading.get(frame) === abort) this.loading.delete(frame);
      if (!this.playing && this.loop?.url === loop.url) this.arrived(frame);
    });
  }

  async load(url, signal) {
    const answer = await fetch(url, { signal });
    if (!answer.ok) throw new Error(`frame: ${answer.status}`);
    return createImageBitmap(await answer.blob(), { colorSpaceConversion: "none" });
  }

  keep(frame, bitmap) {
    this.bitmaps.set(frame, bitmap);
    for (const old of this.bitmaps.keys()) {
      if (this.bitmaps.size <= this.most) break;
      if (old === this.shown || old === frame) continue;
      this.bitmaps.get(old).close();
      this.bitmaps.delete(old);
    }
  }

  arrived(frame) {
    if (frame === this.index && (this.bitmaps.has(frame) || this.failed.has(frame))) {
      if (this.bitmaps.has(frame)) this.shown = frame;
      this.changed();
    }
  }

  // A person moves to a frame; it counts when nothing has moved for a moment.
  seek(frame) {
    if (!this.loop) return;
    this.playing = false;
    this.jump(Math.min(this.loop.count - 1, Math.max(0, frame)));
    this.rest(REST);
  }

  step(by) {
    this.seek((this.playing ? this.shown : this.index) + by);
  }

  jump(frame) {
    this.index = frame;
    if (frame === this.loop.frame || this.bitmaps.has(frame)) this.shown = frame;
    else {
      for (const [other, loading] of this.loading) if (other !== frame) loading.abort();
      this.fetch(frame);
    }
    this.changed();
  }

  rest(after) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = null;
      const frame = this.index;
      if (!this.loop || this.playing || frame === this.loop.frame) return;
      this.asked = { frame, at: performance.now() };
      this.rested(frame);
    }, after);
  }
}

export class LoopRow {
  constructor(player) {
    this.player = player;
    this.box = element("div", "row loop");
    this.box.setAttribute("role", "group");
    this.previous = button("previous", () => player.step(-1));
    this.play = button("play", () => player.toggle());
    this.next = button("next", () => player.step(1));
    this.slider = element("input");
    this.slider.type = "range";
    this.slider.min = 1;
    this.slider.oninput = () => player.seek(Number(this.slider.value) - 1);
    this.at = element("span", "at");
    this.rate = element("span", "rate");
    this.box.append(this.previous, this.play, this.next, this.slider, this.at, this.rate);
  }

  update(text) {
    const { player } = this;
    this.box.hidden = !player.loop;
    if (!player.loop) return;
    this.text = text;
    this.box.setAttribute("aria-label", text.loop);
    say(this.previous, "", text.previousFrame);
    say(this.next, "", text.nextFrame);
    this.slider.setAttribute("aria-label", text.frame);
    this.slider.max = player.loop.count;
    this.show();
  }

  show() {
    const { player, text } = this;
    if (!player.loop || !text) return;
    const frame = player.index;
    setIcon(this.play, player.playing ? "pause" : "play");
    say(this.play, "", player.playing ? text.pause : text.play);
    this.slider.value = frame + 1;
    const where = { frame: frame + 1, count: player.loop.count, time: player.time(frame).toFixed(2) };
    this.at.textContent = fill(player.starts || player.loop.rate ? text.frameAt : text.frameOf, where);
    this.slider.setAttribute("aria-valuetext", this.at.textContent);
    const recorded = player.loop.rate
      ? fill(text.recordedRate, { rate: player.loop.rate.toFixed(1) })
      : fill(text.unknownRate, { rate: UNKNOWN_RATE });
    const now = performance.now();
    if (!player.playing) this.rate.textContent = recorded;
    else if (!(now - this.said < 500)) {
      this.said = now;
      const reached = player.reached(now);
      this.rate.textContent = reached
        ? `${recorded} · ${fill(text.reachedRate, { rate: reached.toFixed(1) })}` : recorded;
    }
  }
}
