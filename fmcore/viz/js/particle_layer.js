// The particles at one time, with trails that fade into their past, as on a wind map.

import { blend, dots, fade } from "./draw.js";

const PAST = 0.22; // of the whole time: how far back a trail reaches
const COMPARED = 400; // pairs shown, of those that are computed and averaged
const SEGMENTS = 9000; // of all trails together: what a screen of 60 frames a second allows

const size = (n) => Math.min(2.6, Math.max(1.25, 46 / Math.sqrt(n)));

export class ParticleLayer {
  constructor(camera, n) {
    this.camera = camera;
    this.places = Array.from({ length: 13 }, () => [new Float64Array(n), new Float64Array(n)]);
  }

  /** color(share) is the colour at a share of the whole time. */
  draw(ctx, run, t, color) {
    const { camera } = this;
    const n = run.ready;
    if (n === 0) return;
    const whole = run.t1 - run.t0;
    const share = (t - run.t0) / whole;
    const past = Math.min(PAST, share);
    const pieces = Math.min(12, Math.max(3, Math.floor(SEGMENTS / n)));
    const places = this.places.slice(0, pieces + 1);
    places.forEach(([x, y], j) => run.at(t - whole * past * (1 - j / pieces), x, y));
    const radius = size(n);
    if (past > 0) {
      ctx.lineCap = "butt";
      for (let j = 0; j < pieces; j++) {
        const age = (j + 1) / pieces;
        const [[ax, ay], [bx, by]] = [places[j], places[j + 1]];
        ctx.beginPath();
        for (let i = 0; i < n; i++) {
          ctx.moveTo(camera.x(ax[i]), camera.y(ay[i]));
          ctx.lineTo(camera.x(bx[i]), camera.y(by[i]));
        }
        ctx.lineWidth = radius * (0.35 + 0.65 * age);
        ctx.strokeStyle = fade(color(share - past * (1 - age)), 0.6 * age ** 1.6);
        ctx.stroke();
      }
    }
    dots(ctx, camera, ...places[pieces], n, radius, fade(color(share), 0.92));
  }

  /** Without trails: where two runs are compared, the gaps between them are what counts. */
  dots(ctx, run, t, color) {
    const [x, y] = this.places[0];
    run.at(t, x, y);
    const n = Math.min(run.ready, COMPARED);
    dots(ctx, this.camera, x, y, n, size(n), color);
  }

  /** Hairlines between the places of the same particle in two runs. */
  gaps(ctx, one, other, t, color) {
    const { camera } = this;
    const [[ax, ay], [bx, by]] = this.places;
    one.at(t, ax, ay);
    other.at(t, bx, by);
    ctx.beginPath();
    for (let i = 0; i < Math.min(one.ready, other.ready, COMPARED); i++) {
      ctx.moveTo(camera.x(ax[i]), camera.y(ay[i]));
      ctx.lineTo(camera.x(bx[i]), camera.y(by[i]));
    }
    ctx.lineWidth = 0.9;
    ctx.strokeStyle = color;
    ctx.stroke();
  }
}

/** The colour of a particle on its way from the source to the target. */
export function voyage({ source, path, target }) {
  const table = Array.from({ length: 65 }, (_, i) => blend([source, path, target], i / 64));
  return (share) => table[Math.round(Math.min(Math.max(share, 0), 1) * 64)];
}
