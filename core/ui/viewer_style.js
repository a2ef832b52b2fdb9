// How the viewer looks. Colours and fonts are the page's own; those over the image are fixed.

export const CSS = `
.overread-viewer { font: 400 0.875rem/1.4 var(--st-font, sans-serif);
  color: var(--st-text-color, #222); container-type: inline-size; position: relative; }
.overread-viewer:fullscreen { background: var(--st-background-color, #fff); padding: 0.5rem;
  box-sizing: border-box; overflow: auto; }
[hidden] { display: none !important; }
.bar, .row { display: flex; flex-wrap: wrap; gap: 0.25rem; align-items: center;
  padding: 0 0 0.4rem; }
.row { padding: 0.4rem 0 0; column-gap: 0.5rem; }
button, select, input { font: inherit; color: inherit; min-height: 40px; box-sizing: border-box;
  border-radius: var(--st-button-radius, 0.5rem); background: var(--st-background-color, #fff);
  border: 1px solid var(--st-border-color, #8886); }
button { min-width: 40px; padding: 0 0.6rem; cursor: pointer; display: inline-flex; gap: 0.35rem;
  align-items: center; justify-content: center; }
select { padding: 0 0.4rem; max-width: 14rem; }
input[type=number] { width: 6rem; padding: 0 0.4rem; }
input[type=range] { flex: 1 1 8rem; min-width: 6rem; padding: 0; border: 0; background: none;
  accent-color: var(--st-primary-color, #06c); }
.row label { display: inline-flex; gap: 0.35rem; align-items: center; }
button:hover:enabled { border-color: var(--st-primary-color, #06c); }
button:focus-visible, select:focus-visible, input:focus-visible, .pane:focus-visible {
  outline: 3px solid var(--st-primary-color, #06c); outline-offset: 1px; }
button[aria-pressed=true] { background: var(--st-primary-color, #06c); color: #fff; }
button:disabled { opacity: 0.45; cursor: default; }
.icon { width: 1.15rem; height: 1.15rem; flex: none; }
.icon path { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round;
  stroke-linecap: round; }
.window .icon path, .play .icon path { fill: currentColor; }
.gap { flex: 1 1 auto; }
.panes { display: flex; gap: 0.5rem; }
@container (max-width: 820px) { .bar .word { display: none; } .bar button { padding: 0 0.45rem; } }
@container (max-width: 600px) {
  .panes { flex-direction: column; }
  .gap { display: none; }
  .loop input[type=range] { flex-basis: 40%; }
}
figure { margin: 0; flex: 1 1 0; min-width: 0; }
figcaption { font-size: 0.8rem; padding: 0 0 0.15rem; overflow-wrap: anywhere; }
.pane { background: #000; overflow: hidden; border-radius: 0.25rem; cursor: grab;
  position: relative; user-select: none; -webkit-user-select: none; }
.pane:active { cursor: grabbing; }
.pane.drawing { cursor: crosshair; }
.pane.windowing { cursor: move; }
.pane > svg { display: block; position: relative; width: 100%; height: 100%; }
canvas { position: absolute; inset: 0; width: 100%; height: 100%; }
.inverted canvas, .inverted .picture { filter: invert(1); }
.loading { position: absolute; inset: auto 0 0 0; padding: 0.4rem 0.6rem; color: #fff;
  background: #000a; font-size: 0.8rem; }
.scale { position: absolute; left: 0.75rem; bottom: 0.6rem; border: 2px solid #fff; border-top: 0;
  height: 0.4rem; box-sizing: border-box; pointer-events: none; filter: drop-shadow(0 0 1.5px #000); }
.scale span { position: absolute; left: 0; bottom: 0.35rem; color: #fff; font-size: 0.75rem;
  font-weight: 700; white-space: nowrap; line-height: 1.2; text-shadow: 0 0 3px #000, 0 0 3px #000; }
.pane path, .pane line, .pane ellipse, .pane circle { fill: none; vector-effect: non-scaling-stroke;
  stroke-linejoin: round; }
.casing { stroke: #000; stroke-opacity: 0.65; stroke-width: 4.5; }
.lesion .outline { stroke: #56b4e9; stroke-width: 2; }
.lesion .fill { fill: #56b4e9; fill-rule: evenodd; }
.heat .outline { stroke: #f5a623; stroke-width: 2; stroke-dasharray: 8 5; }
.heat .fill { fill: #f5a623; fill-rule: evenodd; }
.chord { stroke: #fff; stroke-width: 1.5; stroke-dasharray: 2 3; }
.region { stroke: #f0e442; stroke-width: 3; stroke-dasharray: 1 6; stroke-linecap: round; }
.stroke { stroke: #f0e442; stroke-width: 2.5; }
.measure .line { stroke: #7dffb0; stroke-width: 1.75; }
.measure .handle { stroke: #7dffb0; stroke-width: 1.75; fill: #0006; }
.measure text { fill: #7dffb0; }
.pane text { fill: #fff; stroke: #000; stroke-width: 0.22em; paint-order: stroke;
  text-anchor: middle; font-weight: 700; font-family: var(--st-font, sans-serif); }
.pane .measure text { fill: #7dffb0; }
.state { padding: 0.35rem 0 0; font-size: 0.8rem; }
.notes:not(:empty) { margin: 0.35rem 0 0; padding: 0.3rem 0.6rem; font-size: 0.8rem;
  border-left: 4px solid #e69f00; background: var(--st-secondary-background-color, #8882); }
.rate { font-size: 0.8rem; flex: 1 1 100%; }
.at { font-variant-numeric: tabular-nums; }
.measures { list-style: none; margin: 0.35rem 0 0; padding: 0; font-size: 0.85rem; }
.measures li { display: flex; align-items: center; gap: 0.5rem; padding: 0.1rem 0; }
.measures button { padding: 0 0.5rem; }
.keys { position: absolute; z-index: 2; top: 3rem; right: 0; max-width: min(26rem, 100%);
  box-sizing: border-box; max-height: 80vh; overflow: auto; padding: 0.75rem 1rem;
  background: var(--st-background-color, #fff); border: 1px solid var(--st-border-color, #8888);
  border-radius: 0.5rem; box-shadow: 0 4px 18px #0006; }
.keys dl { display: grid; grid-template-columns: auto 1fr; gap: 0.25rem 0.9rem; margin: 0; }
.keys dt { font-weight: 600; white-space: nowrap; }
.keys dd { margin: 0; }
`;
