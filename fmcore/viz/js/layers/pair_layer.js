// Pairs, trajectories and points: the layers of the pair figure above its field.

import { arrow, circle, dots, fade, line, marks } from "./draw.js";

/** @typedef {import("./camera.js").Camera} Camera */
/** @typedef {import("../flow/pair_flow.js").PairFlow} PairFlow */
/** @typedef {{ side: 0 | 1, i: number }} Mark  a noise point (side 0) or a data point (side 1) */

/**
 * What is drawn: clouds of noise, of the data in the order of their partners, the trajectories, and
 * the ends of single Euler steps.
 * @typedef {{ from: Cloud, to: Cloud, states: Cloud[], one: Cloud }} Drawing
 */

const PIECES = 14; // of a trajectory, each in one colour
const DASHES = [4, 5]; // pixels
const [PAIR, TRAJECTORY, POINT, NOW] = [1.2, 2.6, 4.6, 3.4]; // pixels

/** @type {(a: Cloud, b: Cloud, share: number) => Cloud} */
export const between = (a, b, share) => ({
  x: a.x.map((z, i) => z + share * (b.x[i] - z)),
  y: a.y.map((z, i) => z + share * (b.y[i] - z)),
});

/**
 * Thin lines for the pairs, and broad ones in the colours of time for the trajectories.
 * @param {Context} ctx
 * @param {Camera} camera
 * @param {Drawing} drawing
 * @param {Look & Colors} look
 * @param {Record<string, boolean>} views
 */
export function drawLines(ctx, camera, { from, to, states }, look, views) {
  const n = from.x.length;
  if (views.pairs) {
    ctx.strokeStyle = fade(look.ink, 0.42);
    ctx.lineWidth = PAIR;
    ctx.beginPath();
    for (let i = 0; i < n; i++) {
      ctx.moveTo(camera.x(from.x[i]), camera.y(from.y[i]));
      ctx.lineTo(camera.x(to.x[i]), camera.y(to.y[i]));
    }
    ctx.stroke();
  }
  if (!views.trajectories) return;
  const steps = states.length - 1;
  ctx.lineCap = ctx.lineJoin = "round";
  for (const [width, color] of /** @type {const} */ ([
    [TRAJECTORY + 2, fade(look.stage, 0.7)],
    [TRAJECTORY, null],
  ])) {
    for (let piece = 0; piece < PIECES; piece++) {
      const [first, last] = [piece, piece + 1].map((k) => Math.round((k * steps) / PIECES));
      ctx.beginPath();
      for (let i = 0; i < n; i++) {
        for (let k = first; k <= last; k++) {
          const [px, py] = [camera.x(states[k].x[i]), camera.y(states[k].y[i])];
          if (k === first) ctx.moveTo(px, py);
          else ctx.lineTo(px, py);
        }
      }
      ctx.lineWidth = width;
      ctx.strokeStyle = color ?? look.timeColor((piece + 0.5) / PIECES);
      ctx.stroke();
    }
  }
}

/**
 * The points, and where the particles are at a share of the whole time.
 * @param {Context} ctx
 * @param {Camera} camera
 * @param {Drawing} drawing
 * @param {Look & Colors} look
 * @param {Record<string, boolean>} views
 * @param {number} share
 */
export function drawPoints(ctx, camera, { from, to, states }, look, views, share) {
  const n = from.x.length;
  for (const [cloud, color] of /** @type {const} */ ([
    [from, look.source],
    [to, look.target],
  ])) {
    dots(ctx, camera, cloud.x, cloud.y, n, POINT + 1.5, look.stage);
    dots(ctx, camera, cloud.x, cloud.y, n, POINT, color);
  }
  if (!views.trajectories) return;
  const at = share * (states.length - 1);
  const k = Math.min(Math.floor(at), states.length - 2);
  const { x, y } = between(states[k], states[k + 1], at - k);
  dots(ctx, camera, x, y, n, NOW + 1.6, look.ink);
  dots(ctx, camera, x, y, n, NOW, look.timeColor(share));
}

/**
 * One pair stands out, with its trajectory and the Euler step; and from a point that is picked a line
 * leads to the hand.
 * @param {Context} ctx
 * @param {Camera} camera
 * @param {Drawing} drawing
 * @param {Look & Colors} look
 * @param {{ shown: number | null, picked: Point | null, goal: Point | null, hand: Point | null }} hold
 */
export function drawHold(ctx, camera, drawing, look, { shown, picked, goal, hand }) {
  const { from, to, states, one } = drawing;
  /** @type {(a: Point, b: Point) => void} */
  const dashed = (a, b) => {
    ctx.setLineDash(DASHES);
    line(ctx, camera, [a, b], 2, look.ink);
    ctx.setLineDash([]);
  };
  if (shown !== null) {
    const i = shown;
    /** @type {Point[]} */
    const path = states.map(({ x, y }) => [x[i], y[i]]);
    /** @type {[Point, Point]} */
    const ends = [
      [from.x[i], from.y[i]],
      [to.x[i], to.y[i]],
    ];
    line(ctx, camera, ends, 2, look.ink);
    line(ctx, camera, path, 7, look.stage);
    line(ctx, camera, path, 4.5, look.path);
    dashed(ends[0], [one.x[i], one.y[i]]);
    marks(ctx, camera, [[one.x[i], one.y[i]]], "s", NOW, look.ink, look.stage);
    marks(ctx, camera, [ends[0]], "o", POINT + 1, look.source, look.stage);
    marks(ctx, camera, [ends[1]], "o", POINT + 1, look.target, look.stage);
  }
  if (!picked) return;
  if (hand) dashed(picked, goal ?? hand);
  for (const point of [picked, goal]) {
    if (!point) continue;
    ctx.beginPath();
    circle(ctx, camera.x(point[0]), camera.y(point[1]), POINT + 5);
    ctx.lineWidth = 2;
    ctx.strokeStyle = look.ink;
    ctx.stroke();
  }
}

/**
 * A sample of what the lines mean, for the legend.
 * @param {HTMLCanvasElement} canvas
 * @param {string} name  of the view
 * @param {Look & Colors} look
 */
export function drawSample(canvas, name, look) {
  const [width, height] = [22, 14];
  const ctx = /** @type {Context} */ (canvas.getContext("2d"));
  [canvas.width, canvas.height] = [2 * width, 2 * height];
  ctx.scale(2, 2);
  if (name === "field") {
    ctx.fillStyle = look.field;
    ctx.beginPath();
    arrow(ctx, 2, height / 2, width - 4, 0, 1.8);
    ctx.fill();
    return;
  }
  const color = ctx.createLinearGradient(0, 0, width, 0);
  [look.source, look.path, look.target].forEach((c, i) => color.addColorStop(i / 2, c));
  ctx.strokeStyle = name === "pairs" ? fade(look.ink, 0.6) : color;
  ctx.lineWidth = name === "pairs" ? PAIR : TRAJECTORY + 0.4;
  ctx.lineCap = "round";
  ctx.beginPath();
  ctx.moveTo(2, height / 2);
  ctx.lineTo(width - 2, height / 2);
  ctx.stroke();
}
