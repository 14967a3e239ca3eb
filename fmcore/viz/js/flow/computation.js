// Everything that is integrated for one state of the figure: for each solver chosen a cloud of
// particles and the path of the starting point, and the exact path to compare with. Where there is
// noise, it is the first run's alone: the second one and the exact path stay the ODE's.

import { Gusts } from "./diffuse.js";
import { draw } from "./random.js";
import { lengthOf, meanDistance, meanEnd, Run, runFrom } from "./run.js";

const ACCURATE = 1e-7; // tolerance of the exact path
// Added to the seed of the source's draws, these begin far from them and from each other.
const [GUSTS, GUSTS_OF_ONE] = [0x51ed2701, 0x1b873593];

export class Computation {
  /** @type {Run[]} of the particles, one for each solver */
  runs = [];
  /** @type {Run[]} of the starting point */
  paths = [];
  /** @type {Run | null} */
  exact = null;
  /** @type {string | null} why there are no runs */
  problem = null;
  /**
   * Where the particles start, and their noise.
   * @type {{ seed: number, cloud: Cloud, gusts: Gusts, gustsOfOne: Gusts } | null}
   */
  draws = null;

  /**
   * @param {FlowSpec} spec
   * @param {Field} field
   */
  constructor(spec, field) {
    this.spec = spec;
    this.field = field;
  }

  /**
   * Begins anew, with the first solver and the one to compare it with, if there is one.
   * @param {import("../ui/flow_controls.js").FlowState} state
   */
  restart({ solver, steps, tolerance, compare, start, seed, noise }) {
    const { spec, field } = this;
    const { span, particles } = spec;
    if (this.draws?.seed !== seed) {
      const gusts = new Gusts(seed + GUSTS, particles);
      const gustsOfOne = new Gusts(seed + GUSTS_OF_ONE, 1);
      this.draws = { seed, cloud: draw(spec.source, particles, seed), gusts, gustsOfOne };
    }
    const { cloud, gusts, gustsOfOne } = this.draws;
    const choices = [{ solver, steps, tolerance }];
    if (compare) choices.push(compare);
    this.problem = this.exact = null;
    try {
      const found = choices.map((choice) => ({ ...choice, solver: this.#find(choice.solver) }));
      const rule = noise && spec.noise?.rule;
      /** @type {(of: Gusts) => RunChoice[]} */
      const withNoise = (of) => {
        if (!rule || !noise) return found;
        return [
          { ...found[0], solver: rule, noise: { amount: noise, gusts: of } },
          ...found.slice(1),
        ];
      };
      this.runs = withNoise(gusts).map((choice) => new Run(field, choice, cloud, span));
      this.paths = withNoise(gustsOfOne).map((choice) => runFrom(field, choice, start, span));
    } catch (error) {
      this.runs = this.paths = [];
      this.problem = /** @type {Error} */ (error).message;
      return;
    }
    try {
      this.exact = runFrom(field, this.#accurate(), start, span);
    } catch {
      // No path to compare with, say at a singular end: the solvers' paths remain.
    }
  }

  /**
   * Takes more particles through, for about so many milliseconds.
   * @param {number} milliseconds
   */
  work(milliseconds) {
    for (const run of this.runs) run.work(milliseconds / this.runs.length);
  }

  get done() {
    return this.runs.every((run) => run.done);
  }

  /** The results as numbers. */
  report() {
    const [one, other] = this.runs.map((run, i) => {
      const end = endOf(this.paths[i]);
      const goal = this.exact && endOf(this.exact);
      const off = goal && !run.noise ? Math.hypot(end[0] - goal[0], end[1] - goal[1]) : null;
      return { solver: run.solver.id, nfe: run.nfe, steps: run.steps, ready: run.ready, end, off };
    });
    const [run, second] = this.runs;
    return {
      ...one,
      mean: run && meanEnd(run),
      farthest: run && farthest(run),
      lengths: [this.paths[0], this.exact].map((path) => path && lengthOf(path.path().points)),
      compare: other ?? null,
      distance: other ? meanDistance(run, second) : null,
      problem: this.problem,
    };
  }

  /** @returns {RunChoice} */
  #accurate() {
    const tableau = this.spec.reference;
    const solver = { id: "", label: "", color: "", marker: "", adaptive: true, tableau };
    return { solver, steps: 0, tolerance: ACCURATE };
  }

  /**
   * @param {string} id
   * @returns {Solver}
   */
  #find(id) {
    const solver = this.spec.solvers.find((one) => one.id === id);
    if (!solver) throw new Error(`no solver "${id}"`);
    return solver;
  }
}

/** @param {Run} path  of a single particle */
const endOf = (path) => path.end().map((z) => z[0]);

/** @param {Run} run */
function farthest(run) {
  const [x, y] = run.end();
  return Math.max(...x.map((_, i) => Math.hypot(x[i], y[i])));
}
