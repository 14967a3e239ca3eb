// The marginals beside the plane: bars count the particles at one time, above along x, to the right
// along y; the curves are the densities of p_t, in closed form.

import { make } from "../ui/controls.js";
import { fade, Layer } from "./draw.js";

const BARS = 2.4; // times the cube root of the number of particles, across the extent
const PARTS = 4; // of a bar, from one point of the curve to the next
const TIMES = 16; // at which the highest density is looked for
const HIGHEST = 0.8; // of the strip: bars may rise above the curve
const LEAST = 0.4; // pixels: where the curve is lower it ends, and leaves the edge alone

export class MarginalLayer {
  /**
   * How far the bars are off the curves: half the area between them, along x and y.
   * @type {number[]}
   */
  off = [];

  /**
   * @param {Field} field
   * @param {import("./camera.js").Camera} camera
   * @param {Span} span
   * @param {number} n  particles
   */
  constructor(field, camera, [t0, t1], n) {
    const [xmin, xmax] = camera.extent;
    this.field = field;
    this.camera = camera;
    this.bar = (xmax - xmin) / Math.round(BARS * Math.cbrt(n));
    this.nodes = ["fm-above", "fm-beside"].map((className) => make("div", { className }));
    this.layers = this.nodes.map((node) => new Layer(node));
    this.z = [new Float64Array(n), new Float64Array(n)];
    // One scale for both strips and all times.
    this.most = 0;
    for (let i = 0; i <= TIMES; i++) {
      for (const d of [0, 1]) {
        const p = this.#density(t0 + (i / TIMES) * (t1 - t0), d, camera.extent);
        this.most = Math.max(this.most, ...p.values);
      }
    }
  }

  /**
   * The density over the bars between the ends of the box, and the number of the first. No component
   * is narrower than a bar: its peak is as high as the bar of a point would be.
   * @param {number} t
   * @param {number} d
   * @param {Box} box
   */
  #density(t, d, box) {
    const { bar } = this;
    const [first, last] = [Math.floor(box[2 * d] / bar), Math.ceil(box[2 * d + 1] / bar)];
    const count = (last - first) * PARTS + 1;
    const at = Float64Array.from({ length: count }, (_, i) => (first + i / PARTS) * bar);
    const values = this.field.density?.(t, d, at, bar / Math.sqrt(2 * Math.PI)) ?? at.fill(0);
    return { first, bars: last - first, at, values };
  }

  /** @param {Scene} scene */
  draw({ t, run, look, state }) {
    const { camera, bar, z } = this;
    run?.at(t, z[0], z[1]);
    const n = run?.ready ?? 0;
    this.off = [0, 1].map((d) => {
      const { first, bars, at, values } = this.#density(t, d, camera.view());
      const share = new Float64Array(bars);
      for (let i = 0; i < n; i++) {
        const j = Math.floor(z[d][i] / bar) - first;
        if (j >= 0 && j < bars) share[j] += 1 / n;
      }
      const { clientWidth: width, clientHeight: height } = this.nodes[d];
      const ctx = this.layers[d].clear(width, height);
      const unit = (HIGHEST * (d ? width : height)) / this.most;
      /** @type {(position: number, p: number) => [number, number]}  along the edge, away from it */
      const pixel = (position, p) =>
        d ? [unit * p, camera.y(position)] : [camera.x(position), height - unit * p];
      ctx.beginPath();
      share.forEach((part, j) => {
        const [px, py] = pixel((first + j) * bar, 0);
        const [qx, qy] = pixel((first + j + 1) * bar, part / bar);
        const gap = 1;
        ctx.rect(px, py, qx - px - (d ? 0 : gap), qy - py + (d ? gap : 0));
      });
      ctx.fillStyle = fade(look.timeColor(state.share), 0.55);
      ctx.fill();
      ctx.beginPath();
      at.forEach((position, i) => {
        if (unit * values[i] > LEAST) ctx.lineTo(...pixel(position, values[i]));
      });
      ctx.strokeStyle = look.ink;
      ctx.lineWidth = 1.8;
      ctx.lineJoin = "round";
      ctx.stroke();
      const middle = PARTS / 2;
      return (
        share.reduce((sum, s, j) => sum + Math.abs(s - bar * values[j * PARTS + middle]), 0) / 2
      );
    });
  }
}
