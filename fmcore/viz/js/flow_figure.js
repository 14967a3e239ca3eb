// The living figure of a velocity field: render({ model, el }), as anywidget and MyST call it, and as
// the figure's own frame does.

import { inspect, makeField } from "./fields/fields.js";
import { Computation } from "./flow/computation.js";
import { draw } from "./flow/random.js";
import { mount } from "./host/mount.js";
import { makeLook } from "./layers/look.js";
import { Panel } from "./layers/panel.js";
import { make, setText } from "./ui/controls.js";
import { flowControls, STALE } from "./ui/flow_controls.js";
import { Player } from "./ui/player.js";
import { listen } from "./ui/pointer.js";
import { describePoint, Readout } from "./ui/readout.js";

/** @typedef {import("./ui/flow_controls.js").FlowState} FlowState */

const FIRST = 30; // milliseconds for the first picture of a costly field, and then
const MORE = 12; // for each of the pictures that complete it
const TARGET_DOTS = 600; // at most
const TARGET_SEED = 9;

/** @param {Host} host */
export function render({ model, el }) {
  return mount({ model, el }, (spec, fail) => build(spec, fail, el));
}

export default { render };

/** The panels on their stage, what they show, and when that is computed and drawn anew. */
export class FlowFigure {
  /**
   * Called after each picture; fresh: whether its results, or their colours, may be new.
   * @type {(fresh: boolean) => void}
   */
  onPainted = () => {};
  /** @type {Panel[]} */
  panels = [];
  /** @type {Inspection | null} */
  found = null;
  runsStale = true;
  wordsStale = true;
  milliseconds = 0; // that the last picture took

  /**
   * @param {FlowSpec} spec
   * @param {(error: Error) => void} fail
   */
  constructor(spec, fail) {
    this.spec = spec;
    /** @type {FlowState} */
    this.state = { ...spec.start_state, hover: null };
    this.field = makeField(spec.field);
    this.computation = new Computation(spec, this.field);
    const dots = Math.min(TARGET_DOTS, spec.particles);
    this.target = spec.target && draw(spec.target, dots, TARGET_SEED);
    this.look = makeLook("light", spec.colors);
    this.stage = make("div", { className: "fm-stage" });
    this.player = new Player(this.state, fail);
    this.player.onPaint = () => this.#paint();
  }

  get t() {
    const [t0, t1] = this.spec.span;
    return t0 + this.state.share * (t1 - t0);
  }

  /**
   * Takes over what has changed, and asks for a new picture.
   * @param {Partial<FlowState>} changes
   */
  set(changes) {
    const names = /** @type {(keyof FlowState)[]} */ (Object.keys(changes));
    const stale = names.filter((name) => changes[name] !== this.state[name]).map((n) => STALE[n]);
    if (stale.includes("runs")) this.runsStale = true;
    if (stale.includes("field")) for (const panel of this.panels) panel.stale.field = true;
    Object.assign(this.state, changes);
    if (this.panels.length !== this.#panelsWanted()) this.fit();
    this.player.requestPaint();
  }

  /** @param {Theme} name */
  theme(name) {
    this.look = makeLook(name, this.spec.colors);
    this.wordsStale = true;
    for (const panel of this.panels) panel.stale = { ground: true, field: true };
    this.player.requestPaint();
  }

  /** Panels share the stage: beside each other or one above the other, whichever shows them larger. */
  fit() {
    while (this.panels.length > this.#panelsWanted()) this.panels.pop()?.frame.remove();
    while (this.panels.length < this.#panelsWanted()) this.#addPanel();
    const [xmin, xmax, ymin, ymax] = this.spec.extent;
    const { clientWidth: width, clientHeight: height } = this.stage;
    /** @type {(w: number, h: number) => number} */
    const scale = (w, h) => Math.min(w / (xmax - xmin), h / (ymax - ymin));
    const beside = scale(width / 2, height) >= scale(width, height / 2);
    this.stage.style.flexDirection = beside ? "row" : "column";
    for (const panel of this.panels) panel.fit();
    this.player.requestPaint();
  }

  #panelsWanted() {
    return this.state.compare ? 2 : 1;
  }

  #addPanel() {
    const panel = new Panel(this.spec, this.field);
    if (this.panels.length === 0) panel.handle.offer();
    this.panels.push(panel);
    this.stage.append(panel.frame);
    /** @param {Point} to */
    const onMove = (to) => {
      this.panels[0].handle.taken();
      this.set({ start: panel.camera.clamp(to) });
    };
    listen(panel, {
      onMove,
      onNudge: ([dx, dy]) => onMove([this.state.start[0] + dx, this.state.start[1] + dy]),
      onHover: (hover) => this.set({ hover }),
    });
  }

  /** Whether there is more to compute. */
  #paint() {
    const begun = performance.now();
    const { spec, state, computation, t } = this;
    const computed = this.runsStale || !computation.done;
    const milliseconds = this.runsStale ? FIRST : MORE;
    if (this.runsStale) computation.restart(state);
    this.runsStale = false;
    computation.work(milliseconds);
    const at = state.hover ?? state.probe;
    this.found = at && inspect(this.field, t, at, spec.conditionals);
    const { look, target, found } = this;
    this.panels.forEach((panel, i) => {
      const { runs, paths, exact } = computation;
      const shown = { run: runs[i], path: paths[i], exact };
      panel.paint({ state, t, span: spec.span, look, target, found, ...shown });
    });
    this.milliseconds = performance.now() - begun;
    this.onPainted(computed || this.wordsStale);
    this.wordsStale = false;
    return !computation.done;
  }

  /** All there is to know, in figures: for the readout, and for tests. */
  report() {
    const { computation } = this;
    return {
      ...structuredClone(this.state),
      t: this.t,
      ...computation.report(),
      particles: this.spec.particles,
      marginals: this.panels.map(({ marginals }) => marginals && marginals.off),
      hover: this.found,
      theme: this.look.theme,
      pending: this.runsStale || !computation.done || this.player.scheduled,
      milliseconds: this.milliseconds,
    };
  }
}

/**
 * @param {FlowSpec} spec
 * @param {(error: Error) => void} fail
 * @param {FigureElement} el
 * @returns {Mounted}
 */
function build(spec, fail, el) {
  const figure = new FlowFigure(spec, fail);
  /** @param {Partial<FlowState>} changes */
  const set = (changes) => figure.set(changes);
  const controls = flowControls(spec, figure.state, set, () => figure.player.toggle());
  const note = make("div", { className: "fm-note" });
  const readout = new Readout(spec);
  figure.stage.append(note);

  figure.onPainted = (fresh) => {
    controls.update();
    setText(note, figure.found ? describePoint(figure.found) : "");
    el.dataset.t = figure.t.toFixed(3);
    if (!fresh) return;
    const report = figure.report();
    readout.show(report, figure);
    figure.panels[0].handle.hintAt(report.end?.[0] < report.start[0]);
    const { solver, steps, nfe } = report;
    Object.assign(el.dataset, { solver, steps, nfe });
  };

  el.fmFigure = { state: () => figure.report(), set };
  return {
    node: make(
      "div",
      { className: "fm" },
      figure.stage,
      ...controls.nodes,
      readout.node,
      readout.live.node,
    ),
    resize: () => figure.fit(),
    show: (visible) => figure.player.show(visible),
    theme: (name) => figure.theme(name),
    stop: () => figure.player.stop(),
  };
}
