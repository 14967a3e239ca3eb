// How good a network is by now: its samples against data, and how straight its particles go.

import { mlp } from "../fields/mlp.js";
import { journey } from "../flow/journey.js";
import { integrate } from "../flow/solvers.js";
import { evenGrid } from "../flow/tableaus.js";
import { transport } from "./assignment.js";
import { layersOf } from "./layers.js";
import { drawsFor } from "./trainer.js";

/** @typedef {{ tableau: Tableau, steps: number }} Look  the solver that the reader chose */

const SAMPLES = 256;
const OTHERS = 5; // sets of data that the first is compared with
const [FEW, STEPS] = [128, 16]; // particles whose straightness is measured, and steps of them
const [PAIRS, FINE] = [4096, 32]; // that a network makes, and steps for them

export class Judge {
  /**
   * @param {import("./trainer.js").Settings} settings
   * @param {Tableau} tableau  of the solver that measures
   */
  constructor({ shape, seed, frequencies }, tableau) {
    this.tableau = tableau;
    this.frequencies = frequencies;
    this.noise = drawsFor(seed, "noise").noise(SAMPLES);
    this.data = drawsFor(seed, "data").data(shape, SAMPLES);
    const others = drawsFor(seed, "other");
    /** The Wasserstein-2 distance of data from as many data, on average. */
    this.floor = 0;
    for (let k = 0; k < OTHERS; k++) {
      this.floor += transport(this.data, others.data(shape, SAMPLES)).distance / OTHERS;
    }
  }

  /** @param {Float32Array[]} weights  of all layers @returns {Field} */
  field(weights) {
    return mlp({ frequencies: this.frequencies, layers: layersOf(weights) });
  }

  /**
   * @param {Float32Array[]} weights
   * @param {Look} look
   */
  measure(weights, { tableau, steps }) {
    const field = this.field(weights);
    const { x, y } = this.noise;
    const samples = integrate(field, tableau, x, y, evenGrid(0, 1, steps));
    const few = { x: x.slice(0, FEW), y: y.slice(0, FEW) };
    const { straightness } = journey(field, this.tableau, few, STEPS);
    return { distance: transport(this.data, samples).distance, straightness };
  }

  /**
   * New noise, and where the network carries it (fmcore.couplings.reflow_pairs).
   * @param {Float32Array[]} weights
   * @param {import("./pairs.js").Draws} draws
   */
  pairs(weights, draws) {
    const x0 = draws.noise(PAIRS);
    const x1 = integrate(this.field(weights), this.tableau, x0.x, x0.y, evenGrid(0, 1, FINE));
    return { x0, x1: { x: x1.x, y: x1.y } };
  }
}
