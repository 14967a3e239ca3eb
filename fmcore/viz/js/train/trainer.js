// A training from its settings: batch after batch, as fmcore.training.fit goes about it.

import { exactField, lossOf } from "./exact.js";
import { Learner } from "./learner.js";
import { conditional, Draws, fixedPairs, independentPairs, transportPairs } from "./pairs.js";

/** @typedef {import("./pairs.js").Shape} Shape */
/** @typedef {import("./pairs.js").Ends} Ends */
/**
 * What the reader chose, and what goes with it.
 * @typedef {object} Settings
 * @property {Shape} shape
 * @property {{ kind: string }} path
 * @property {"independent" | "ot" | "reflow"} pairing  "reflow": independent in the first half of the
 *   steps, then pairs that the network has made
 * @property {Numbers} frequencies  of the embedding of time
 * @property {number} hidden  units of a layer
 * @property {number} depth
 * @property {number} lr
 * @property {number} batch
 * @property {number} average  decay of the moving average of the weights
 * @property {number} steps
 * @property {number} seed
 */

// The other numbers of the training, as fmcore.TrainConfig has them or chapter 5 chooses them.
export const WARMUP = 50;
const DECAY = 0.01; // of the weights
const CLIP = 1; // the largest norm of a gradient
const TEST = 2048; // pairs
const FAR = 100; // times the first loss: the training has diverged
const SEEDS = { weights: 1, batches: 2, test: 3, noise: 4, data: 5, other: 6 };

/** @type {(seed: number, what: keyof typeof SEEDS) => Draws} draws of their own for each purpose */
export const drawsFor = (seed, what) => new Draws(Math.imul(seed, 0x9e3779b1) + SEEDS[what]);

/**
 * The learning rate of step k (from 0) of a training, or of its part: warm-up, then a half cosine.
 * @type {(lr: number, k: number, steps: number) => number}
 */
export function learningRate(lr, k, steps) {
  if (k < WARMUP) return (lr * (k + 1)) / WARMUP;
  return (lr * (1 + Math.cos((Math.PI * (k - WARMUP)) / Math.max(1, steps - WARMUP)))) / 2;
}

export class Trainer {
  step = 0;
  begun = 0; // the step in which the present part began
  /** @type {number | null} the loss of the first batch */
  first = null;
  diverged = false;

  /**
   * @param {Settings} settings
   * @param {import("../net/plan.js").Kind[]} [kinds]
   */
  constructor(settings, kinds) {
    const { shape, path, pairing, seed } = settings;
    this.settings = settings;
    this.lr = settings.lr;
    this.learner = new Learner(settings, kinds);
    this.learner.write(this.#weights(drawsFor(seed, "weights")));
    this.draws = drawsFor(seed, "batches");
    this.couple = (pairing === "ot" ? transportPairs : independentPairs)(shape);
    this.conditional = conditional(path);
    this.exact = exactField(shape, path);
    this.test = this.#examined(this.couple);
    this.floor = pairing === "ot" ? null : lossOf(this.exact, this.test);
  }

  /** As PyTorch begins: uniform, within 1 / sqrt(inputs). @param {Draws} draws */
  #weights({ random }) {
    return this.learner.layers.flatMap(({ inputs, outputs }) => {
      const tensor = (/** @type {number} */ n) =>
        Float32Array.from({ length: n }, () => (2 * random() - 1) / Math.sqrt(inputs));
      return [tensor(inputs * outputs), tensor(outputs)];
    });
  }

  /** The pairs that the loss is measured on, always the same. @param {import("./pairs.js").Couple} couple */
  #examined(couple) {
    const draws = drawsFor(this.settings.seed, "test");
    const { batch } = this.settings;
    const parts = Array.from({ length: TEST / batch }, () =>
      this.conditional(couple(draws, batch), draws.times(batch)),
    );
    /** @param {"x" | "y" | "t" | "u" | "v"} name */
    const joined = (name) => Float64Array.from(parts.flatMap((part) => Array.from(part[name])));
    return { x: joined("x"), y: joined("y"), t: joined("t"), u: joined("u"), v: joined("v") };
  }

  /** The end of the part that is trained now. */
  get end() {
    const { pairing, steps } = this.settings;
    return pairing === "reflow" && this.begun === 0 ? Math.floor(steps / 2) : steps;
  }

  /** One step; the loss of its batch. */
  advance() {
    const { batch, average } = this.settings;
    const t = this.draws.times(batch);
    const loss = this.learner.learn(this.conditional(this.couple(this.draws, batch), t));
    this.first ??= loss;
    this.diverged = !(loss < FAR * this.first);
    if (this.diverged) return loss;
    const k = this.step - this.begun;
    this.learner.step({
      lr: learningRate(this.lr, k, this.end - this.begun),
      decay: DECAY,
      average: Math.min(average, k / (9 + k)),
      clip: CLIP,
    });
    this.step++;
    return loss;
  }

  /** From here on, on these pairs; there is no floor that we know. @param {Ends} ends */
  reflow(ends) {
    this.couple = fixedPairs(ends);
    this.begun = this.step;
    this.first = null;
    this.floor = null;
    this.learner.write(this.learner.read("averages"));
    this.test = this.#examined(this.couple);
  }

  /** The loss on the test pairs, with averaged weights. */
  examine() {
    return this.learner.loss(this.test, "averages");
  }

  /**
   * Goes on from weights that were good, more slowly.
   * @param {Float32Array[]} weights
   */
  restore(weights) {
    this.lr /= 4;
    this.first = null;
    this.diverged = false;
    this.learner.write(weights);
  }
}
