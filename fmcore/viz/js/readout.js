// The figure in words: what was computed, at what cost, and with what result.

import { make } from "./controls.js";

const QUIET = 700; // milliseconds without a change before a screen reader is told

export const number = (value, digits = 2) =>
  Number.isFinite(value) ? value.toFixed(digits).replace(/^-(?=0[.]0*$)/, "").replace("-", "−") : "beyond all numbers";

const pair = ([x, y]) => `(${number(x)}, ${number(y)})`;
const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

/** The text at a point under the pointer. */
export function describePoint({ at, v, paths, count }) {
  const text = `v${pair(at)} = ${pair(v)}`;
  return paths.length > 1 ? `${text}, the mean over ${count} conditional paths` : text;
}

/** The readout below the controls, and the same for screen readers once things are at rest. */
export class Readout {
  constructor(spec) {
    this.spec = spec;
    this.node = make("p", { className: "fm-readout" });
    this.live = make("div", { className: "fm-live", role: "status", "aria-live": "polite" });
  }

  show(report, colors) {
    if (report.problem) {
      this.node.replaceChildren(report.problem);
      return this.say(report.problem);
    }
    const name = (id) => this.spec.solvers.find((one) => one.id === id).label;
    const run = (id, { steps, nfe }, color) => [
      make("i", { style: `background:${color}` }),
      make("b", {}, name(id)),
      `, ${plural(steps, "step")}, ${plural(nfe, "evaluation")}`,
    ];
    const parts = run(report.solver, report, colors[0]);
    if (report.compare) {
      const apart = `. Ends apart by ${number(report.distance, 3)} on average`;
      parts.push("; ", ...run(report.compare.solver, report.compare, colors[1]), apart);
    } else {
      parts.push(`. Mean end point ${pair(report.mean)}`);
    }
    if (report.ready < report.particles) parts.push(`. ${report.ready} of ${report.particles} particles so far`);
    const error = this.spec.field.error;
    if (error) parts.push(`. Field from a lattice, off by ${percent(error.rms)} (rms)`);
    this.node.replaceChildren(...parts, ".");
    this.say(this.node.textContent);
  }

  say(text) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.live.textContent !== text) this.live.textContent = text;
    }, QUIET);
  }
}

function percent(share) {
  const value = 100 * share;
  return `${value < 0.01 ? "less than 0.01" : value.toPrecision(2)} %`;
}
