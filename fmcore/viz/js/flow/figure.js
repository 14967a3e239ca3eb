// The figure: what is chosen, what follows from it, and when it is drawn anew.

import { makeField } from "../fields/fields.js";
import { look } from "../layers/look.js";
import { Panel } from "../layers/panel.js";
import { Player } from "../ui/player.js";
import { follow, inspect } from "../layers/probe_layer.js";
import { draw } from "./random.js";
import { meanDistance, meanEnd, Run } from "./run.js";

const FIRST = 30; // milliseconds for the first picture of a costly field, and then
const MORE = 12; // for each of the pictures that complete it
const ACCURATE = 1e-7; // tolerance of the path that the solvers' paths are compared with

export class Figure extends Player {
  /**
   * stage: where the panels go; adopt(panel): each new one; changed(computed): after each picture;
   * fail(error): the end.
   */
  constructor(spec, stage, { adopt, changed, fail }) {
    super({ ...spec.start_state, hover: null }, fail);
    Object.assign(this, { spec, stage, adopt, changed, span: spec.span, panels: [], runs: [] });
    this.field = makeField(spec.field);
    this.target = spec.target && draw(spec.target, Math.min(600, spec.particles), 9);
    this.theme("light");
  }

  set(changes) {
    const changed = (...names) =>
      names.some((name) => name in changes && this.state[name] !== changes[name]);
    if (changed("solver", "steps", "tolerance", "compare", "seed", "start")) this.stale = true;
    if (changed("views") || (changed("share") && !this.field.steady)) this.fade();
    const divided = changed("compare");
    super.set(changes);
    if (divided) this.fit();
  }

  /** The field has to be drawn anew, and with `ground` what lies under it too. */
  fade(ground = false) {
    for (const { stale } of this.panels) Object.assign(stale, { field: true, ground: stale.ground || ground });
  }

  theme(name) {
    this.look = look(name, this.spec.colors);
    this.stale = true;
    this.fade(true);
    this.ask();
  }

  /** Panels share the stage: beside each other or one above the other, whichever shows them larger. */
  fit() {
    const two = Boolean(this.state.compare);
    while (this.panels.length > 1 + two) this.panels.pop().node.remove();
    while (this.panels.length < 1 + two) {
      const panel = new Panel(this.spec, this.field);
      this.panels.push(panel);
      this.stage.append(panel.node);
      this.adopt(panel);
    }
    const [xmin, xmax, ymin, ymax] = this.spec.extent;
    const { clientWidth: width, clientHeight: height } = this.stage;
    const scale = (w, h) => Math.min(w / (xmax - xmin), h / (ymax - ymin));
    const beside = scale(width / 2, height) >= scale(width, height / 2);
    this.stage.style.flexDirection = beside ? "row" : "column";
    for (const panel of this.panels) panel.fit();
    this.ask();
  }

  get t() {
    return this.span[0] + this.state.share * (this.span[1] - this.span[0]);
  }

  advance(seconds) {
    super.advance(seconds);
    if (!this.field.steady) this.fade();
  }

  paint() {
    const begun = performance.now();
    const fresh = this.stale;
    if (fresh) this.restart();
    const computed = fresh || this.pending;
    for (const run of this.runs) run.work((fresh ? FIRST : MORE) / this.runs.length);
    const { hover } = this.state;
    this.found = hover && inspect(this.field, this.t, hover, this.spec.conditionals);
    this.runs.forEach((run, i) => this.panels[i].paint(this, run, this.paths[i], this.exact));
    if (!this.runs.length) this.panels[0].paint(this);
    this.milliseconds = performance.now() - begun;
    this.changed(computed);
  }

  /** The solvers with their steps: one, or two to compare. */
  choices() {
    const { solver, steps, tolerance, compare } = this.state;
    const find = (id) => this.spec.solvers.find((one) => one.id === id);
    return [{ solver, steps, tolerance }, compare]
      .filter(Boolean)
      .map((choice) => ({ ...choice, solver: find(choice.solver) }));
  }

  restart() {
    const { spec, field, span, state } = this;
    this.stale = false;
    this.problem = this.exact = null;
    if (this.drawn !== state.seed) this.start = draw(spec.source, spec.particles, state.seed);
    this.drawn = state.seed;
    const from = (choice) => follow(field, choice, state.start, span);
    try {
      const choices = this.choices();
      this.runs = choices.map((choice) => new Run(field, choice, this.start, span));
      this.paths = choices.map(from);
    } catch (error) {
      this.runs = [];
      this.problem = error.message;
      return;
    }
    try {
      this.exact = from({ solver: { tableau: spec.reference, adaptive: true }, tolerance: ACCURATE });
    } catch {
      // No road to compare with, say at a singular end: the solvers' paths remain.
    }
  }

  get pending() {
    return this.stale || this.runs.some((run) => !run.done);
  }

  /** All there is to know, in figures: for the readout, and for tests. */
  report() {
    const { solver, steps, tolerance, playing, views, start, seed } = this.state;
    const place = (path) => path.end().map((z) => z[0]);
    const [one, other] = this.runs.map((run, i) => {
      const end = place(this.paths[i]);
      const goal = this.exact && place(this.exact);
      const off = goal && Math.hypot(end[0] - goal[0], end[1] - goal[1]);
      return { solver: run.solver.id, nfe: run.nfe, steps: run.steps, ready: run.ready, end, off };
    });
    const [run, second] = this.runs;
    return {
      solver, steps, tolerance, playing, views: { ...views }, start: [...start], seed,
      t: this.t,
      ...one,
      particles: this.spec.particles,
      mean: run && meanEnd(run),
      farthest: run && Math.max(...run.end()[0].map((x, i) => Math.hypot(x, run.end()[1][i]))),
      compare: other ?? null,
      distance: other ? meanDistance(run, second) : null,
      hover: this.found ?? null,
      theme: this.look.theme,
      problem: this.problem,
      pending: this.pending || this.due,
      milliseconds: this.milliseconds,
    };
  }
}
