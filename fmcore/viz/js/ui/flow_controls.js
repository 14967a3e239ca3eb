// What the reader of a flow figure can choose: the state, what a change of it makes stale, and the
// controls. A new one takes a line in each of the three, its start in fmcore.viz.FlowFigure, and the
// layer that shows it.

import { button, check, make, range, select, timeControls } from "./controls.js";
import { capitalized, number, plural } from "./words.js";

/**
 * @typedef {object} FlowState
 * @property {string} solver
 * @property {number} steps
 * @property {number} tolerance  of a solver that chooses its steps
 * @property {Choice | null} compare  the second run, from the same start
 * @property {Point} start  of the path that is shown with its steps
 * @property {number} seed  of the particles
 * @property {number | null} noise  g(t) / b(t) of the SDE that they follow
 * @property {Record<string, boolean>} views  the layers that are shown
 * @property {number} share  of the whole time
 * @property {boolean} playing
 * @property {Point | null} probe  the point at which the field is shown at rest
 * @property {Point | null} hover  the point under the pointer
 */

/**
 * What a change makes stale: the "runs", which are computed anew; the picture of the "field"; or
 * nothing but what each picture draws anew, the "front". (A panel knows by itself when its field has
 * moved on in time.)
 *
 * @type {Record<keyof FlowState, "runs" | "field" | "front">}
 */
export const STALE = {
  solver: "runs",
  steps: "runs",
  tolerance: "runs",
  compare: "runs",
  start: "runs",
  seed: "runs",
  noise: "runs",
  views: "field",
  share: "front",
  playing: "front",
  probe: "front",
  hover: "front",
};

/**
 * @param {FlowSpec} spec
 * @param {FlowState} state  as it is now, whenever that is
 * @param {(changes: Partial<FlowState>) => void} onChange
 * @param {() => void} onPlay
 */
export function flowControls(spec, state, onChange, onPlay) {
  const [t0, t1] = spec.span;
  /** @param {number} share */
  const moment = (share) => `t = ${number(t0 + share * (t1 - t0))}`;
  const time = timeControls(state, moment, onChange, onPlay);
  const first = solverControls(FIRST, spec, state, onChange);
  const second = solverControls(SECOND, spec, state.compare, (change) => {
    const compare = { solver: "", ...spec.compare_state, ...state.compare, ...change };
    onChange({ compare: compare.solver ? compare : null });
  });
  const dial = range(
    "Noise",
    { min: 0, max: spec.noise?.most ?? 0, step: 0.05 },
    state.noise ?? 0,
    (noise) => `g = ${number(noise)} b(t)`,
    (noise) => onChange({ noise }),
  );
  const views = Object.keys(state.views).map((name) =>
    check(capitalized(name), state.views[name], (on) =>
      onChange({ views: { ...state.views, [name]: on } }),
    ),
  );
  const draw = button("New particles", () => onChange({ seed: state.seed + 1 }));
  const group = make("div", { className: "fm-group" }, ...views, draw);
  return {
    nodes: [
      make("div", { className: "fm-row fm-time" }, ...time.nodes),
      ...(spec.noise ? [make("div", { className: "fm-row fm-time fm-dial" }, dial.node)] : []),
      make("div", { className: "fm-row" }, first.node, second.node, group),
    ],
    /** Shows what changes without these controls, or with another one. */
    update() {
      time.update();
      dial.set(state.noise ?? 0);
      first.hold(state.noise ? spec.noise?.rule : null);
    },
  };
}

/** @typedef {{ solver: string, steps: string, tolerance: string, none?: string }} Titles */

/** @type {Titles} */
const FIRST = { solver: "Solver", steps: "Steps", tolerance: "Tolerance" };
/** @type {Titles} */
const SECOND = {
  solver: "Compare",
  steps: "Steps to compare",
  tolerance: "Tolerance to compare",
  none: "nothing", // can be chosen, too
};

/**
 * A solver with its steps, or with its tolerance if it chooses the steps itself. hold(rule) shows
 * a rule that takes the place of the solver and cannot be chosen; hold(null) gives the choice back.
 * @param {Titles} titles
 * @param {FlowSpec} spec
 * @param {Choice | null} chosen
 * @param {(change: Partial<Choice>) => void} onChange
 */
function solverControls(titles, spec, chosen, onChange) {
  const now = { ...spec.compare_state, solver: "", ...chosen };
  /** @type {[string, string][]} */
  const options = spec.solvers.map(({ id, label }) => [id, label]);
  if (titles.none) options.unshift(["", titles.none]);
  const steps = range(
    titles.steps,
    { min: 1, max: spec.most_steps, step: 1 },
    now.steps,
    (n) => plural(n, "step"),
    (n) => onChange({ steps: n }),
  );
  const tolerance = range(
    titles.tolerance,
    { min: 1, max: 7, step: 1 },
    Math.round(-Math.log10(now.tolerance)),
    (k) => `to 10⁻${"¹²³⁴⁵⁶⁷"[k - 1]}`,
    (k) => onChange({ tolerance: 10 ** -k }),
  );
  /** @param {string} id */
  const showFor = (id) => {
    const adaptive = spec.solvers.some((solver) => solver.id === id && solver.adaptive);
    steps.node.hidden = !id || adaptive;
    tolerance.node.hidden = !id || !adaptive;
  };
  showFor(now.solver);
  const solver = select(titles.solver, options, now.solver, (id) => {
    now.solver = id;
    showFor(id);
    onChange({ solver: id });
  });
  const held = make("div", { className: "fm-control fm-held" }, make("span", {}, titles.solver));
  const name = held.appendChild(make("b"));
  return {
    node: make("div", { className: "fm-choice" }, solver, steps.node, tolerance.node),
    /** @param {Solver | null} [rule] */
    hold(rule) {
      if (name.textContent === (rule?.label ?? "")) return;
      showFor(rule?.id ?? now.solver);
      name.textContent = rule?.label ?? "";
      if (rule) solver.replaceWith(held);
      else held.replaceWith(solver);
    },
  };
}
