// The particles at one time, with trails that fade into their past, as on a wind map.

import { dots, fade, segments } from "./draw.js";

// Of the whole time: how far back a trail reaches. With noise it is longer in the same time.
const PAST = 0.24;
const [LEAST_PIECES, MOST_PIECES] = [4, 12]; // of one trail
const ALL_PIECES = 12000; // of all trails together: what a screen of 60 frames a second allows
const FADING = 1.5; // the power of its age by which a piece of a trail fades
const RECEDED = 0.3; // opacity where conditional paths are shown
// The radius of a dot, in pixels: a share of the room that each has.
const [LEAST_RADIUS, MOST_RADIUS, RADIUS_IN_ROOM] = [1.1, 2.6, 0.075];

export class ParticleLayer {
  /**
   * @param {import("./camera.js").Camera} camera
   * @param {number} n  particles
   */
  constructor(camera, n) {
    this.camera = camera;
    /** @type {Cloud[]} the states along the trails, the last of them now */
    this.states = Array.from({ length: MOST_PIECES + 1 }, () => ({
      x: new Float64Array(n),
      y: new Float64Array(n),
    }));
  }

  /**
   * @param {Context} ctx
   * @param {Scene} scene
   */
  draw(ctx, { state, t, look, run, found }) {
    if (!state.views.particles || !run) return;
    const n = run.ready;
    const whole = run.t1 - run.t0;
    const share = (t - run.t0) / whole;
    const past = Math.min(PAST / (1 + (run.noise?.amount ?? 0)), share);
    const pieces = Math.min(MOST_PIECES, Math.max(LEAST_PIECES, Math.floor(ALL_PIECES / n)));
    const states = this.states.slice(0, pieces + 1);
    states.forEach(({ x, y }, j) => run.at(t - whole * past * (1 - j / pieces), x, y));
    ctx.globalAlpha = found?.paths.length ? RECEDED : 1;
    for (let j = 0; past > 0 && j < pieces; j++) {
      const age = (j + 1) / pieces;
      const color = fade(look.timeColor(share - past * (1 - age)), look.trail * age ** FADING);
      segments(ctx, this.camera, states[j], states[j + 1], n, color);
    }
    const room = Math.sqrt((this.camera.width * this.camera.height) / n);
    const radius = Math.min(MOST_RADIUS, Math.max(LEAST_RADIUS, RADIUS_IN_ROOM * room));
    const { x, y } = states[pieces];
    dots(ctx, this.camera, x, y, n, radius, look.timeColor(share));
    ctx.globalAlpha = 1;
  }
}
