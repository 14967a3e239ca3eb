// The training as the page sees it: the worker, what it has said, and the field of the last weights.

import { mlp } from "../fields/mlp.js";
import { startWorker } from "../net/start.js";
import { layersOf } from "./layers.js";

/** @typedef {import("./worker.js").Report} Report */
/** @typedef {import("./pairs.js").Shape} Shape */

/**
 * fmcore.viz.PlaygroundFigure.spec
 * @typedef {object} PlaySpec
 * @property {{ id: string, label: string, points: Numbers, width: number }[]} shapes
 * @property {{ width: number, fewest: number, most: number }} pen  points of a shape, and their width
 * @property {{ id: string, path: { kind: string } & Record<string, any> }[]} paths
 * @property {{ id: string, label: string, python: string }[]} pairings  python: lines to fill in
 * @property {number[]} widths
 * @property {number[]} rates
 * @property {number[]} batches
 * @property {number[]} averages
 * @property {Record<string, any>} network  MLP.config
 * @property {number[]} frequencies  of its embedding of time
 * @property {string[]} tensors  their names in a file of weights
 * @property {{ steps: number }} training
 * @property {Solver[]} solvers
 * @property {Tableau} judge
 * @property {number} most_steps
 * @property {Box} extent
 * @property {Colors & { error: string }} colors
 * @property {string} worker  its script
 * @property {string} alt
 * @property {Omit<PlayState, "points" | "views">} start_state
 */

/**
 * What the reader can choose.
 * @typedef {object} PlayState
 * @property {string} shape  "drawn" is the reader's own
 * @property {number[]} points  of that: x, y, x, y, ...
 * @property {string} path
 * @property {"independent" | "ot" | "reflow"} pairing
 * @property {number} hidden
 * @property {number} lr
 * @property {number} batch
 * @property {number} average
 * @property {string} solver
 * @property {number} steps  of the solver
 * @property {number} seed
 * @property {Record<string, boolean>} views
 * @property {number} share  of the whole time
 * @property {boolean} playing
 */

/** What begins a training anew when it changes. @type {(keyof PlayState)[]} */
export const BEGINS = ["shape", "points", "path", "pairing", "hidden", "lr", "batch", "average", "seed"]; // prettier-ignore

/** @type {(spec: PlaySpec, state: PlayState) => Shape} */
export function shapeOf({ shapes, pen }, { shape, points }) {
  const named = shapes.find(({ id }) => id === shape);
  return named ?? { points, width: pen.width };
}

/**
 * @template {{ id: string }} T
 * @param {T[]} list
 * @param {string} id
 */
export const byId = (list, id) => /** @type {T} */ (list.find((one) => one.id === id));

export class Training {
  run = 0;
  /** @type {Report[]} of this run; the last has the weights */
  reports = [];
  going = false;
  visible = true;
  /** @type {Field | null} of the weights that were last taken */
  field = null;
  /** @type {Float32Array[]} what that field reads */
  tensors = [];

  /**
   * @param {PlaySpec} spec
   * @param {() => void} onChange
   * @param {(error: Error) => void} onFail
   */
  constructor(spec, onChange, onFail) {
    this.spec = spec;
    this.worker = startWorker(
      spec.worker,
      (/** @type {Report} */ report) => {
        if (report.run !== this.run) return;
        if (this.last) this.last.weights = []; // only the last ones are of use
        this.reports.push(report);
        if (report.done || report.diverged !== null) this.going = false;
        onChange();
      },
      onFail,
    );
  }

  /** @type {Report | undefined} */
  get last() {
    return this.reports[this.reports.length - 1];
  }

  /** @param {PlayState} state */
  begin(state) {
    const { spec } = this;
    const { hidden, pairing, lr, batch, average, seed } = state;
    const settings = {
      ...{ hidden, pairing, lr, batch, average, seed },
      shape: shapeOf(spec, state),
      path: byId(spec.paths, state.path).path,
      frequencies: spec.frequencies,
      depth: spec.network.depth,
      steps: spec.training.steps,
    };
    this.reports = [];
    this.field = null;
    const begin = { run: ++this.run, settings, tableau: spec.judge };
    this.worker.postMessage({ begin, look: this.#look(state), go: this.#runs });
  }

  /** By which solver samples are judged. @param {PlayState} state */
  look(state) {
    this.worker.postMessage({ look: this.#look(state) });
  }

  /** Trains, or pauses. @param {boolean} going */
  go(going) {
    this.going = going;
    this.worker.postMessage({ go: this.#runs });
  }

  /** Nothing is trained that nobody sees. @param {boolean} visible */
  show(visible) {
    if (visible === this.visible) return;
    this.visible = visible;
    this.worker.postMessage({ go: this.#runs });
  }

  /** To the last good state, and on from there at a quarter of the learning rate. */
  back() {
    this.going = true;
    this.worker.postMessage({ back: true, go: this.#runs });
  }

  /**
   * The field of the last weights. Of a run there is one, which takes over what has changed.
   * @returns {Field}
   */
  take() {
    const { weights = [] } = this.last ?? {};
    if (!this.field) {
      this.tensors = weights.map((values) => values.slice());
      const layers = layersOf(this.tensors);
      this.field = mlp({ frequencies: this.spec.frequencies, layers });
    }
    this.tensors.forEach((values, i) => values.set(weights[i]));
    this.field.refresh?.();
    return this.field;
  }

  stop() {
    this.worker.terminate();
  }

  get #runs() {
    return this.going && this.visible;
  }

  /** @param {PlayState} state */
  #look({ solver, steps }) {
    return { tableau: byId(this.spec.solvers, solver).tableau, steps };
  }
}
