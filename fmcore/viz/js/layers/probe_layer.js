// What the hand asks for: the path from one starting point with its steps marked, and the field at
// one point; of a marginal field also the conditional paths whose mean it is.

import { lengthOf } from "../flow/run.js";
import { arrow, blend, fade, line, marks } from "./draw.js";

/** @typedef {import("./camera.js").Camera} Camera */

// Marks of the steps, in pixels: as large as their distance allows, on the whole.
const [LEAST_MARK, MOST_MARK, MARK_IN_STEP] = [1.5, 3.4, 0.3];
const NOW = 5.4; // pixels, the mark of the particle itself
const MOST_MARKS = 12; // of a path: more of them would hide it

/**
 * So many steps, n in all, share one mark: the last step always has one.
 * @param {number} n
 */
export const stepsPerMark = (n) => Math.ceil(n / MOST_MARKS);

/**
 * The exact path, the solver's path with its steps, and where the particle is at time t.
 * @param {Context} ctx
 * @param {Camera} camera
 * @param {Scene} scene
 */
export function drawPath(ctx, camera, { path, exact, t, look }) {
  if (exact) line(ctx, camera, exact.path().points, 8, fade(look.ink, 0.2));
  if (!path) return;
  const { marker, color: own } = path.solver;
  const { points, marks: steps } = path.path();
  const color = look.tint(own);
  line(ctx, camera, points, 4, fade(look.stage, 0.6));
  line(ctx, camera, points, 2, color);
  const n = path.noise ? 0 : steps.length - 1; // a path with noise is all corners
  const every = stepsPerMark(n);
  const marked = steps.filter((_, k) => k > 0 && (n - k) % every === 0);
  const apart = (lengthOf(points) * camera.scale * every) / n;
  const radius = Math.min(MOST_MARK, Math.max(LEAST_MARK, MARK_IN_STEP * apart));
  marks(ctx, camera, marked, marker, radius, color, look.stage);
  const [x, y] = [new Float64Array(1), new Float64Array(1)];
  path.at(t, x, y);
  marks(ctx, camera, [[x[0], y[0]]], marker, NOW, color, look.stage);
}

const REACH = 110; // pixels: the length of an arrow at full speed, or of the fastest path's
const MOST_REACH = 150;
const PARTS = 24; // of a conditional path, in six pieces of one colour each
const PIECE = 4;
const LIKELY = 50; // a path so many times less likely than the likeliest is left out
const WITH_ARROW = 0.02; // the least weight of a path that gets an arrow of its own

/**
 * The vector at a point; and the likeliest conditional paths, broader and stronger the likelier. Where
 * there are any, their vectors and the mean share a scale of their own: late fields are much faster
 * than early ones, and the mean would be lost.
 * @param {Context} ctx
 * @param {Camera} camera
 * @param {Scene} scene
 * @param {Field} field
 * @param {number} fullSpeed
 */
export function drawProbe(ctx, camera, { found, span, look }, field, fullSpeed) {
  if (!found) return;
  const { at, v, paths } = found;
  const likely = paths.filter(({ weight }) => weight >= paths[0].weight / LIKELY).reverse();
  for (const { from, to, weight } of likely) {
    const points = conditionalPath(field, from, to, span);
    const opacity = 0.18 + 0.72 * Math.sqrt(weight / paths[0].weight);
    for (let i = 0; i < PARTS; i += PIECE) {
      const color = blend([look.source, look.path, look.target], (i + PIECE / 2) / PARTS);
      line(ctx, camera, points.slice(i, i + PIECE + 1), 0.9 + 3 * weight, fade(color, opacity));
    }
    marks(ctx, camera, [points[PARTS]], "o", 1.6 + 3 * weight, look.target, look.stage);
  }
  const withArrow = likely.filter(({ weight }) => weight >= WITH_ARROW);
  const scaled = withArrow.length ? withArrow : likely;
  const fastest = Math.max(...scaled.map(({ u, v: w }) => Math.hypot(u, w)));
  /** @type {(u: number, w: number, thickness: number, color: string) => void} */
  const vector = (u, w, thickness, color) => {
    const reach = REACH / (likely.length ? fastest : fullSpeed);
    const length = Math.hypot(u, w) * reach;
    const scale = Math.min(1, MOST_REACH / (length || 1)) * reach;
    ctx.beginPath();
    arrow(ctx, camera.x(at[0]), camera.y(at[1]), u * scale, -w * scale, thickness);
    ctx.lineWidth = 2.5;
    ctx.strokeStyle = look.stage;
    ctx.stroke();
    ctx.fillStyle = color;
    ctx.fill();
  };
  for (const { u, v: w, weight } of withArrow) {
    vector(u, w, 1.2 + 1.6 * weight, fade(look.target, 0.35 + 0.65 * weight));
  }
  vector(v[0], v[1], 3.4, look.ink);
  marks(ctx, camera, [at], "o", 3, look.ink, look.stage);
}

/**
 * Points of the conditional path between two ends, at even times.
 * @param {Field} field
 * @param {Point} from
 * @param {Point} to
 * @param {Span} span
 */
function conditionalPath({ along }, from, to, span) {
  /** @type {(_: unknown, i: number) => Point} */
  const point = (_, i) => {
    const t = span[0] + (i / PARTS) * (span[1] - span[0]);
    return along ? [along(t, from[0], to[0]), along(t, from[1], to[1])] : from;
  };
  return Array.from({ length: PARTS + 1 }, point);
}
