// What the network makes of a drawing: it runs in a worker, and its pictures are kept, state by state.

import { openNetwork } from "./open.js";

/** @typedef {"finish" | "tidy" | "trip" | "morph"} What */
/** @typedef {{ t: number, x: Float32Array }} Shown */
/** @typedef {{ states: Shown[], done: boolean, verdict: import("./worker.js").Verdict | null }} Outcome */

const PICTURES = { finish: 4, tidy: 4, trip: 9, morph: 9 };
const STEPS = { finish: 30, tidy: 5, trip: 12, morph: 8 };
const T_BACK = 0.98; // from where a drawing is sent back to its noise

export class HandNetwork {
  /** @type {Outcome[]} */
  outcomes = [];
  /** @type {What} */
  what = "finish";
  waiting = false;
  run = 0;
  nfe = 0;
  milliseconds = 0;
  begun = 0;
  /** @type {{ first: number, all: number }} milliseconds from the order to the first picture, and all */
  took = { first: 0, all: 0 };

  /**
   * Throws an Error if the buffer is damaged, or the browser allows no worker.
   *
   * @param {HandSpec} spec
   * @param {ArrayBuffer} buffer
   * @param {() => void} onChange
   * @param {(error: Error) => void} onFail
   */
  constructor({ shape, live, path }, buffer, onChange, onFail) {
    this.path = path;
    this.width = shape[1];
    this.tableau = live.tableaus[0];
    this.onChange = onChange;
    /** @param {any} said */
    const hear = (said) => said.run === this.run && this.#hear(said);
    this.worker = openNetwork(live.worker, buffer, shape, hear, onFail).worker;
  }

  /**
   * @param {What} what
   * @param {Float32Array} drawing
   * @param {Float32Array} goal  of a morph
   * @param {{ t: number, seed: number, label: number | null }} choice
   */
  ask(what, drawing, goal, { t, seed, label }) {
    const { path, tableau, width } = this;
    this.what = what;
    this.outcomes = Array.from({ length: what === "trip" ? 1 : PICTURES[what] }, () => ({
      states: [],
      done: false,
      verdict: null,
    }));
    this.waiting = true;
    this.nfe = 0;
    this.begun = performance.now();
    const back = what === "tidy" ? t : T_BACK;
    const sizes = { width, count: PICTURES[what], steps: STEPS[what], t: back };
    const order = { run: ++this.run, what, drawing, goal, seed, path, tableau, label, ...sizes };
    this.worker.postMessage({ order });
    this.onChange();
  }

  /** No answer is wanted any more. */
  forget() {
    this.run++;
    this.outcomes = [];
    this.waiting = false;
    this.nfe = 0;
  }

  /** @param {any} said  by the worker */
  #hear({ image, t, x, v, verdict, nfe, milliseconds, done }) {
    const passed = performance.now() - this.begun;
    if (done) {
      this.waiting = false;
      this.took.all = passed;
      return this.onChange();
    }
    const outcome = this.outcomes[image];
    outcome.states.push({ t, x });
    if (!v) {
      Object.assign(outcome, { done: true, verdict });
      if (!this.nfe) this.took.first = passed;
      this.nfe += nfe;
      this.milliseconds = milliseconds;
    }
    return this.onChange();
  }

  /** How many pictures there are to show, also those that are still to come. */
  get count() {
    return PICTURES[this.what];
  }

  /**
   * The state that is shown in the place of picture i: at a time; of a round trip, at an even share of
   * it; null while there is none.
   *
   * @param {number} i
   * @param {number} t
   * @returns {Shown | null}
   */
  picture(i, t) {
    if (this.what === "trip") {
      const { states } = this.outcomes[0] ?? { states: [] };
      return states[Math.round((i / (PICTURES.trip - 1)) * 2 * STEPS.trip)] ?? null;
    }
    const { states } = this.outcomes[i] ?? { states: [] };
    if (this.what === "morph") return states[states.length - 1] ?? null;
    return states.filter((state) => state.t <= t + 1e-9).pop() ?? states[0] ?? null;
  }

  stop() {
    this.worker.terminate();
  }
}
