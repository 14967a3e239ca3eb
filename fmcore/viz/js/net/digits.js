// Digits that the network computes here: it runs in a worker, and what it has said of each noise is
// kept, to be drawn at any time.

import { normal, uniform } from "../flow/random.js";
import { fromHalf } from "./half.js";
import { openNetwork } from "./open.js";

/** @typedef {{ t: number, x: Float32Array, guess: Float32Array }} Moment  guess: E[x1 | xt] */
/** @typedef {{ moments: Moment[], done: boolean, verdict: import("./worker.js").Verdict | null }} Journey */
/** @typedef {{ tableau: Tableau, steps: number, label: number | null, guidance: number, labels?: number[] | null, wires?: import("./cut.js").Wire[] }} Choice  the last two for the worker of the wires */
/** @typedef {"way" | "guess" | "end"} View */

const BRUSH = 4; // radius of a patch of noise, in pixels of a digit

export class NetworkDigits {
  /** @type {Float32Array[]} */
  noises = [];
  /** @type {(Journey | undefined)[]} of each noise what is shown, and what is on its way */
  shown = [];
  /** @type {(Journey | undefined)[]} */
  coming = [];
  /** @type {(Journey | undefined)[]} before a patch of its noise was repainted */
  before = [];
  /** @type {number[]} the noises that the worker is at, or has before it */
  waiting = [];
  /** @type {Choice | null} */
  choice = null;
  nfe = 0;
  milliseconds = 0;
  share = 0; // up to where a journey has to be there, to be shown
  run = 0;
  /** @type {number[]} the noises of the last order */
  asked = [];
  brushes = 0;
  seed = 0;

  /**
   * Throws an Error if the buffer is damaged, or the browser allows no worker.
   *
   * @param {Pick<DigitSpec, "shape" | "live">} spec
   * @param {ArrayBuffer} buffer
   * @param {() => void} onChange
   * @param {(error: Error) => void} onFail
   */
  constructor({ shape: [count, height, width], live }, buffer, onChange, onFail) {
    const { worker, guess } = /** @type {LiveSpec} */ (live);
    this.count = count;
    this.height = height;
    this.width = width;
    this.guess = guess;
    this.onChange = onChange;
    /** @param {any} said */
    const hear = (said) => said.run === this.run && this.#hear(said);
    const { first, worker: opened } = openNetwork(worker, buffer, [height, width], hear, onFail);
    const given = fromHalf(new Uint16Array(first));
    const size = height * width;
    this.first = Array.from({ length: count }, (_, i) => given.slice(i * size, (i + 1) * size));
    this.worker = opened;
  }

  /**
   * All noises anew, those of the figure at 0.
   * @param {number} seed
   */
  draw(seed) {
    this.seed = seed;
    const gauss = normal(uniform(seed));
    const size = this.height * this.width;
    this.noises = this.first.map((noise) =>
      seed ? Float32Array.from({ length: size }, gauss) : noise.slice(),
    );
    this.before = [];
  }

  /** @param {Choice} choice */
  follow(choice) {
    this.choice = choice;
    this.before = [];
    this.#order(this.noises.map((_, i) => i));
  }

  /**
   * Paints new noise around a pixel of a digit, and follows it from there.
   * @param {number} i
   * @param {number} x
   * @param {number} y
   */
  repaint(i, x, y) {
    const gauss = normal(uniform(1e6 + this.brushes++));
    const noise = this.noises[i];
    for (let p = 0; p < noise.length; p++) {
      const [dx, dy] = [(p % this.width) - x, Math.floor(p / this.width) - y];
      if (dx * dx + dy * dy <= BRUSH * BRUSH) noise[p] = gauss();
    }
    this.before[i] ??= this.shown[i];
    this.#order([i, ...this.waiting.filter((other) => other !== i)]);
  }

  /** @param {number[]} images */
  #order(images) {
    this.waiting = images;
    this.asked = images;
    this.coming = [];
    const noises = images.map((i) => this.noises[i]);
    this.worker.postMessage({ order: { ...this.choice, run: ++this.run, noises } });
  }

  /** @param {any} said  by the worker */
  #hear({ image, t, x, v, verdict, nfe, milliseconds, done }) {
    if (done) return;
    const i = this.asked[image];
    const journey = (this.coming[i] ??= { moments: [], done: false, verdict: null });
    journey.moments.push({ t, x, guess: v ? this.#guessed(t, x, v) : x });
    if (!v) {
      Object.assign(journey, { done: true, verdict });
      this.waiting = this.waiting.filter((other) => other !== i);
      Object.assign(this, { nfe, milliseconds });
    }
    if (!v || !this.shown[i] || t >= this.share) this.shown[i] = journey;
    this.onChange();
  }

  /**
   * E[x1 | xt]: a sum of x and v, whose weights depend on the time and the path.
   * @type {(t: number, x: Float32Array, v: Float32Array) => Float32Array}
   */
  #guessed(t, x, v) {
    const at = t * (this.guess.length - 1);
    const k = Math.min(Math.floor(at), this.guess.length - 2);
    const [[x0, v0], [x1, v1]] = [this.guess[k], this.guess[k + 1]];
    const [wx, wv] = [x0 + (at - k) * (x1 - x0), v0 + (at - k) * (v1 - v0)];
    return x.map((z, p) => wx * z + wv * v[p]);
  }

  /**
   * The pixels of a digit at a share of the time; null while nothing is known of it.
   * @type {(journey: Journey | undefined, view: View, share: number) => Float32Array | null}
   */
  pixels(journey, view, share) {
    if (!journey || !this.choice) return null;
    const { moments } = journey;
    const last = moments.length - 1;
    if (view === "end") return moments[last].guess;
    const at = moments.filter((moment) => moment.t <= share + 1e-9).length - 1;
    const { t, x, guess } = moments[at];
    if (view === "guess" || at === last) return view === "guess" ? guess : x;
    const next = moments[at + 1];
    const part = (share - t) / (next.t - t);
    return x.map((z, p) => z + part * (next.x[p] - z));
  }

  /**
   * How many the judge reads as digits, and how many as the one that was asked for; null without one,
   * or before all have arrived.
   */
  judgement() {
    const verdicts = this.shown.flatMap((journey) => journey?.verdict ?? []);
    if (this.waiting.length || verdicts.length < this.count) return null;
    const readable = verdicts.filter((verdict) => verdict.readable > 0.5);
    const { label = null } = this.choice ?? {};
    return {
      readable: readable.length,
      asked: label === null ? null : readable.filter(({ digit }) => digit === label).length,
    };
  }

  stop() {
    this.worker.terminate();
  }
}
