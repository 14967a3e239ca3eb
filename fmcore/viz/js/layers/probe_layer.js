// What the hand asks for: the path from one starting point with every step marked, and the field at
// one point; of a marginal field also the conditional paths whose mean it is.

import { arrow, blend, fade, line, marks } from "./draw.js";
import { Run } from "../flow/run.js";

const MOST_PATHS = 60; // conditional paths shown: the likeliest

/** The run of a single particle from (x, y). */
export function follow(field, choice, [x, y], span) {
  const run = new Run(field, choice, { x: Float64Array.of(x), y: Float64Array.of(y) }, span);
  run.work(Infinity);
  return run;
}

/** The exact path, the solver's path with its steps, and where the particle is at time t. */
export function drawPath(ctx, camera, run, exact, t, look) {
  if (exact) line(ctx, camera, exact.path().points, 8, fade(look.ink, 0.2));
  const { points, marks: steps } = run.path();
  const color = look.tint(run.solver.color);
  line(ctx, camera, points, 4, fade(look.stage, 0.6));
  line(ctx, camera, points, 2, color);
  // Marks as large as the shortest steps allow, on the whole.
  const length = points.slice(1).reduce(
    (sum, [x, y], k) => sum + Math.hypot(x - points[k][0], y - points[k][1]), 0,
  );
  const radius = Math.min(3.4, Math.max(1.5, (0.3 * length * camera.scale) / run.steps));
  marks(ctx, camera, steps.slice(1), run.solver.marker, radius, color, look.stage);
  const [x, y] = [new Float64Array(1), new Float64Array(1)];
  run.at(t, x, y);
  marks(ctx, camera, [[x[0], y[0]]], run.solver.marker, 5.4, color, look.stage);
}

/** The field at a point, as numbers and with the conditional paths where there are any. */
export function inspect(field, t, [x, y], conditionals) {
  const [u, v] = [new Float64Array(1), new Float64Array(1)];
  field.evaluate(t, Float64Array.of(x), Float64Array.of(y), 1, u, v);
  const paths = (conditionals && field.conditionals?.(t, x, y, MOST_PATHS)) || [];
  return { at: [x, y], t, v: [u[0], v[0]], paths, count: field.count };
}

export function drawHover(ctx, camera, field, found, unit, span, look) {
  const { at: [x, y], v, paths } = found;
  const [px, py] = [camera.x(x), camera.y(y)];
  const reach = 100 / unit; // pixels an arrow is long, for a speed of one
  const likely = [...paths].reverse().filter(({ weight }) => weight >= paths[0].weight / 50);
  for (const { from, to, weight } of likely) {
    const along = Array.from({ length: 25 }, (_, i) => {
      const t = span[0] + (i / 24) * (span[1] - span[0]);
      return [0, 1].map((d) => field.along(t, from[d], to[d]));
    });
    const strength = 0.18 + 0.72 * Math.sqrt(weight / paths[0].weight);
    for (let i = 0; i < 24; i += 4) {
      const color = blend([look.source, look.path, look.target], (i + 2) / 24);
      line(ctx, camera, along.slice(i, i + 5), 0.9 + 3 * weight, fade(color, strength));
    }
    marks(ctx, camera, [along[24]], "o", 1.6 + 3 * weight, look.target, look.stage);
  }
  const pointer = ([u, w], thickness, color) => {
    const length = Math.hypot(u, w) * reach;
    const cut = Math.min(1, 150 / (length || 1)) * reach;
    ctx.beginPath();
    arrow(ctx, px, py, u * cut, -w * cut, thickness);
    ctx.lineWidth = 2.5;
    ctx.strokeStyle = look.stage;
    ctx.stroke();
    ctx.fillStyle = color;
    ctx.fill();
  };
  for (const { u, v: w, weight } of likely) {
    if (weight >= 0.02) pointer([u, w], 1.2 + 1.6 * weight, fade(look.target, 0.35 + 0.65 * weight));
  }
  pointer(v, 3.4, look.ink);
  marks(ctx, camera, [[x, y]], "o", 3, look.ink, look.stage);
}
