// Jumps above the plane: of the particles their two ends, the network's and the exact one; of the
// starting point the exact trajectory, the jumps along its secants and Euler's steps along its tangents.

import { circle, dots, fade, line, marks, segments } from "./draw.js";

/** @typedef {import("./camera.js").Camera} Camera */
/** @typedef {import("../flow/jump_flow.js").JumpFlow} JumpFlow */
/** @typedef {import("../flow/run.js").Run} Run */

const [FROM, END, RING] = [1.3, 2.3, 3.2]; // pixels, radii
const [CURVE, TRAVELLED, SECANT, TANGENT, MARK] = [7, 2.6, 3, 2.2, 4]; // pixels
const RIM = 3; // pixels of the stage around a line, which part it from the particles

/**
 * @param {Context} ctx
 * @param {Camera} camera
 * @param {JumpFlow} flow
 * @param {Look & Colors} look
 */
export function drawEnds(ctx, camera, { all, state }, look) {
  if (!all || !state?.views.particles) return;
  const { from, to, jumps } = all;
  dots(ctx, camera, from.x, from.y, from.x.length, FROM, fade(look.source, 0.55));
  const [x, y] = jumps.end().map((z) => Float64Array.from(z));
  segments(ctx, camera, { x, y }, to, jumps.ready, fade(look.ink, 0.4));
  ctx.strokeStyle = fade(look.ink, 0.6);
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (let i = 0; i < to.x.length; i++) circle(ctx, camera.x(to.x[i]), camera.y(to.y[i]), RING);
  ctx.stroke();
  dots(ctx, camera, x, y, jumps.ready, END, fade(look.path, 0.9));
}

/**
 * @param {Context} ctx
 * @param {Camera} camera
 * @param {JumpFlow} flow
 * @param {Look & Colors} look
 */
export function drawOne(ctx, camera, { one, path, state }, look) {
  if (!one || !path || !state) return;
  const { points } = path.path();
  /** @type {Point[]} */
  const [from, goal] = [one.from, one.to].map(({ x, y }) => [x[0], y[0]]);
  const [first, last] = [state.s, state.t].map((time) => path.locate(time));
  const between = points.slice(Math.ceil(first), Math.floor(last) + 1);
  line(ctx, camera, points, CURVE + RIM, fade(look.stage, 0.8));
  line(ctx, camera, points, CURVE, fade(look.ink, 0.2));
  line(ctx, camera, [from, ...between, goal], TRAVELLED, look.ink);
  /** @type {(run: Run, width: number, sign: string, color: string) => void} */
  const chain = (run, width, sign, color) => {
    const { marks: corners } = run.path();
    line(ctx, camera, corners, width + RIM, fade(look.stage, 0.8));
    line(ctx, camera, corners, width, color);
    marks(ctx, camera, corners.slice(1), sign, MARK, color, look.stage);
  };
  const { solver } = one.euler;
  if (state.views.euler) chain(one.euler, TANGENT, solver.marker, look.tint(solver.color));
  chain(one.jumps, SECANT, "D", look.path);
  ctx.beginPath();
  circle(ctx, camera.x(goal[0]), camera.y(goal[1]), MARK + 4);
  ctx.lineWidth = 2;
  ctx.strokeStyle = look.ink;
  ctx.stroke();
  marks(ctx, camera, [from], "o", MARK, look.ink, look.stage);
}
