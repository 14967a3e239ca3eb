// The figure in words: what was computed, at what cost, and with what result.

import { stepsPerMark } from "../layers/probe_layer.js";
import { make } from "./controls.js";
import { Live } from "./live.js";
import { number, plural, small } from "./words.js";

/** @param {Point} point */
const pair = ([x, y]) => `(${number(x)}, ${number(y)})`;
/** @param {number} share */
const percent = (share) => `${share < 1e-4 ? "less than 0.01" : (100 * share).toPrecision(2)} %`;

/**
 * The text at the point that is looked at.
 * @param {Inspection} inspection
 */
export function describePoint({ at, v, paths, count }) {
  const text = `v${pair(at)} = ${pair(v)}`;
  return paths.length > 1 ? `${text}, the mean over ${count} conditional paths` : text;
}

/** The readout below the controls, and the same for screen readers once things are at rest. */
export class Readout {
  /** @param {FlowSpec} spec */
  constructor(spec) {
    this.spec = spec;
    this.node = make("div", { className: "fm-readout" });
    this.live = new Live();
  }

  /**
   * report: of the figure, whose panels get the names of their solvers.
   * @param {any} report
   * @param {import("../flow_figure.js").FlowFigure} figure
   */
  show(report, { look, panels, computation }) {
    if (report.problem) {
      this.node.replaceChildren(report.problem);
      this.live.say(this.node.textContent ?? "");
      return;
    }
    /** @type {(result: any, i: number, where: string) => HTMLElement} */
    const run = ({ steps, nfe, off }, i, where) => {
      const { label, color } = computation.runs[i].solver;
      const dot = () => make("i", { style: `background:${look.tint(color)}` });
      panels[i].label.replaceChildren(dot(), `${label}, ${plural(steps, "step")}`);
      const evaluations = make("abbr", { title: "number of function evaluations" }, "NFE");
      const rule = report.noise && i === 0 ? ": the rule with noise. " : ". ";
      const end = off === null ? rule : `: ${where} ${small(off)} off the exact path. `;
      const every = stepsPerMark(steps);
      const marked = every > 1 && off !== null ? `One mark for ${every} steps. ` : "";
      const cost = [`, ${plural(steps, "step")}, `, evaluations, `\u00a0${nfe}`];
      return make("div", {}, dot(), make("b", {}, label), ...cost, end, marked);
    };
    const lines = [run(report, 0, "the ring’s path ends")];
    const rest = [];
    if (report.noise) {
      const [length, exact] = report.lengths;
      const calm = exact ? `, without noise (broad and grey) ${number(exact)}` : "";
      rest.push(`The ring’s path is ${number(length)} long${calm}.`);
    }
    if (this.spec.marginals) rest.push("Bars: the particles. Curves: the exact densities.");
    if (report.compare) {
      lines.push(run(report.compare, 1, "it ends"));
      rest.push(`All end points: ${small(report.distance)} apart on average.`);
    }
    if (report.ready < report.particles) {
      rest.push(`${report.ready} of ${report.particles} particles so far.`);
    }
    const { error } = this.spec.field;
    if (error) rest.push(`The field comes from a lattice, ${percent(error.rms)} off (rms).`);
    this.node.replaceChildren(...lines, make("div", {}, rest.join(" ")));
    this.live.say(this.node.textContent ?? "");
  }
}
