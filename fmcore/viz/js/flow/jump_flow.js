// Where a network jumps and where the flow goes: of all particles, and of the starting point. A chain of
// jumps is Euler's method along the network's mean velocity, and is run as that.

import { makeField } from "../fields/fields.js";
import { flowMap } from "../fields/flow_map.js";
import { draw } from "./random.js";
import { Run, runFrom } from "./run.js";

/**
 * fmcore.viz.JumpFigure.spec
 * @typedef {object} JumpSpec
 * @property {FieldData} field
 * @property {Record<string, any>} networks  by their names
 * @property {Distribution} source
 * @property {Distribution | null} target
 * @property {Solver} solver  of the exact flow
 * @property {number} steps
 * @property {Solver} euler
 * @property {Span} span
 * @property {Box} extent
 * @property {number} particles
 * @property {number} most_jumps
 * @property {Colors} colors
 * @property {string} alt
 * @property {JumpState} start_state
 */

/**
 * @typedef {object} JumpState
 * @property {string} network
 * @property {number} s  when a jump begins
 * @property {number} t  and ends
 * @property {number} jumps  from s to t
 * @property {Record<string, boolean>} views  what is shown: the particles, Euler's method
 * @property {Point} start
 * @property {number} seed  of the particles
 */

/**
 * What becomes of some particles: where the flow has them at s and at t; jumps and Euler steps.
 * @typedef {{ from: Cloud, to: Cloud, jumps: Run, euler: Run }} Journey
 */

export class JumpFlow {
  /** @type {JumpState | null} the state that all is computed for */
  state = null;
  /** @type {Run | null} the exact flow of all particles, and the one that is not done yet */
  exact = null;
  /** @type {Run | null} */
  next = null;
  /** @type {Run | null} the exact trajectory of the starting point */
  path = null;
  /** @type {Journey | null} */
  all = null;
  /** @type {Journey | null} */
  one = null;

  /** @param {JumpSpec} spec */
  constructor(spec) {
    this.spec = spec;
    this.field = makeField(spec.field);
    const entries = Object.entries(spec.networks);
    this.networks = Object.fromEntries(entries.map(([name, data]) => [name, flowMap(data)]));
  }

  /**
   * Begins anew with what a change of the state makes stale.
   * @param {JumpState} state
   */
  restart(state) {
    const { spec, field } = this;
    const { seed, start } = state;
    const choice = { solver: spec.solver, steps: spec.steps, tolerance: 0 };
    if (seed !== this.state?.seed) {
      this.next = new Run(field, choice, draw(spec.source, spec.particles, seed), spec.span);
    }
    if (start !== this.state?.start) this.path = runFrom(field, choice, start, spec.span);
    this.state = { ...state };
    this.one = this.path && this.#journey(this.path);
    this.one?.jumps.work(Infinity);
    this.one?.euler.work(Infinity);
    this.all = this.exact && this.#journey(this.exact);
  }

  /**
   * Takes more particles through, for about so many milliseconds.
   * @param {number} milliseconds
   */
  work(milliseconds) {
    const until = performance.now() + milliseconds;
    const left = () => Math.max(0, until - performance.now());
    this.next?.work(milliseconds);
    if (this.next?.done) {
      this.exact = this.next;
      this.next = null;
      this.all = this.#journey(this.exact);
    }
    this.all?.jumps.work(left());
    this.all?.euler.work(left());
  }

  get done() {
    return Boolean(!this.next && this.all?.jumps.done && this.all.euler.done);
  }

  /**
   * From the states of an exact run.
   * @param {Run} exact
   * @returns {Journey}
   */
  #journey(exact) {
    const { s, t, jumps, network } = /** @type {JumpState} */ (this.state);
    const { field, spec } = this;
    const net = this.networks[network]((t - s) / jumps);
    /** @param {number} time */
    const at = (time) => {
      const cloud = { x: new Float64Array(exact.n), y: new Float64Array(exact.n) };
      exact.at(time, cloud.x, cloud.y);
      return cloud;
    };
    const from = at(s);
    const choice = { solver: spec.euler, steps: jumps, tolerance: 0 };
    const [jumping, euler] = [net, field].map((v) => new Run(v, choice, from, [s, t]));
    return { from, to: at(t), jumps: jumping, euler };
  }

  /** The results as numbers: for the readout, and for tests. */
  report() {
    /** @param {Journey | null} journey */
    const of = (journey) => {
      if (!journey) return null;
      const { from, to, jumps, euler } = journey;
      const ends = [jumps, euler].map((run) => run.end().map((z) => Array.from(z)));
      return {
        from: [Array.from(from.x), Array.from(from.y)],
        to: [Array.from(to.x), Array.from(to.y)],
        jumps: ends[0],
        euler: ends[1],
        off: { jumps: apart(jumps, to), euler: apart(euler, to) },
        nfe: [jumps.nfe, euler.nfe],
      };
    };
    return { all: of(this.all), one: of(this.one) };
  }
}

/**
 * How far a run ends from a cloud: the root mean square over the particles that are through.
 * @param {Run} run
 * @param {Cloud} to
 */
function apart(run, to) {
  const [x, y] = run.end();
  let sum = 0;
  for (let i = 0; i < run.ready; i++) sum += (x[i] - to.x[i]) ** 2 + (y[i] - to.y[i]) ** 2;
  return Math.sqrt(sum / run.ready);
}
