// The particles at one time, with trails that fade into their past, as on a wind map.

import { dots, fade, segments } from "./draw.js";

const PAST = 0.24; // of the whole time: how far back a trail reaches
const MOST = 12000; // pieces of all trails together: what a screen of 60 frames a second allows

export class ParticleLayer {
  constructor(camera, n) {
    this.camera = camera;
    this.places = Array.from({ length: 13 }, () => [new Float64Array(n), new Float64Array(n)]);
  }

  /** look.voyage(share) is the colour at a share of the whole time. */
  draw(ctx, run, t, look) {
    const n = run.ready;
    const whole = run.t1 - run.t0;
    const share = (t - run.t0) / whole;
    const past = Math.min(PAST, share);
    const pieces = Math.min(12, Math.max(4, Math.floor(MOST / n)));
    const places = this.places.slice(0, pieces + 1);
    places.forEach(([x, y], j) => run.at(t - whole * past * (1 - j / pieces), x, y));
    for (let j = 0; past > 0 && j < pieces; j++) {
      const age = (j + 1) / pieces;
      const color = fade(look.voyage(share - past * (1 - age)), look.trail * age ** 1.5);
      segments(ctx, this.camera, places[j], places[j + 1], n, color);
    }
    const room = Math.sqrt((this.camera.width * this.camera.height) / n);
    const radius = Math.min(2.6, Math.max(1.1, 0.075 * room));
    dots(ctx, this.camera, ...places[pieces], n, radius, look.voyage(share));
  }
}
