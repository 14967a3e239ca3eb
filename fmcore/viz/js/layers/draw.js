// Colours, dots, lines and arrowheads: what every layer draws with.

/** @typedef {import("./camera.js").Camera} Camera */

const MOST_RATIO = 2; // pixels of the screen for one of CSS: more cost time and show nothing

/** A canvas layer of the stage, sharp on every screen. */
export class Layer {
  /** @param {HTMLElement} parent */
  constructor(parent) {
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    parent.append(this.canvas);
    this.ctx = /** @type {Context} */ (this.canvas.getContext("2d"));
  }

  /**
   * An empty layer of so many CSS pixels.
   * @param {number} width
   * @param {number} height
   */
  clear(width, height) {
    const ratio = Math.min(window.devicePixelRatio || 1, MOST_RATIO);
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
    }
    this.ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.ctx.clearRect(0, 0, width, height);
    return this.ctx;
  }
}

/** @param {string} hex  "#rrggbb" */
export const channels = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

/**
 * A colour "#rrggbb" with an opacity.
 * @param {string} hex
 * @param {number} opacity
 */
export function fade(hex, opacity) {
  return `rgba(${channels(hex).join(",")},${opacity.toFixed(3)})`;
}

/**
 * The colour at a share of the way from the first colour of a list to its last.
 * @param {string[]} colors
 * @param {number} share
 */
export function blend(colors, share) {
  const at = Math.min(Math.max(share, 0), 1) * (colors.length - 1);
  const i = Math.min(Math.floor(at), colors.length - 2);
  const [from, to] = [channels(colors[i]), channels(colors[i + 1])];
  const mixed = from.map((c, d) => Math.round(c + (at - i) * (to[d] - c)));
  return `#${mixed.map((c) => c.toString(16).padStart(2, "0")).join("")}`;
}

/**
 * Adds to the path a circle around the pixel (px, py).
 * @param {Context} ctx
 * @param {number} px
 * @param {number} py
 * @param {number} radius
 */
export function circle(ctx, px, py, radius) {
  ctx.moveTo(px + radius, py);
  ctx.arc(px, py, radius, 0, 2 * Math.PI);
}

const SMALL = 1.5; // pixels: nobody can tell a smaller circle from a square, which costs a sixth
const SQUARE = 0.88; // half the side of the square with the area of a circle of radius 1

/**
 * Dots at n points.
 * @param {Context} ctx
 * @param {Camera} camera
 * @param {Float64Array} x
 * @param {Float64Array} y
 * @param {number} n
 * @param {number} radius
 * @param {string} color
 */
export function dots(ctx, camera, x, y, n, radius, color) {
  const half = SQUARE * radius;
  ctx.fillStyle = color;
  ctx.beginPath();
  for (let i = 0; i < n; i++) {
    const [px, py] = [camera.x(x[i]), camera.y(y[i])];
    if (radius < SMALL) ctx.fillRect(px - half, py - half, 2 * half, 2 * half);
    else circle(ctx, px, py, radius);
  }
  ctx.fill();
}

const BATCH = 200; // segments in one stroke: browsers draw long paths slower than short ones

/**
 * Hairlines from n points to n others: of all lines the cheapest.
 * @param {Context} ctx
 * @param {Camera} camera
 * @param {Cloud} from
 * @param {Cloud} to
 * @param {number} n
 * @param {string} color
 */
export function segments(ctx, camera, from, to, n, color) {
  ctx.strokeStyle = color;
  ctx.lineWidth = 1;
  ctx.lineCap = "butt";
  for (let first = 0; first < n; first += BATCH) {
    ctx.beginPath();
    for (let i = first; i < Math.min(n, first + BATCH); i++) {
      ctx.moveTo(camera.x(from.x[i]), camera.y(from.y[i]));
      ctx.lineTo(camera.x(to.x[i]), camera.y(to.y[i]));
    }
    ctx.stroke();
  }
}

/**
 * A line through points of the plane.
 * @param {Context} ctx
 * @param {Camera} camera
 * @param {Point[]} points
 * @param {number} width
 * @param {string} color
 */
export function line(ctx, camera, points, width, color) {
  ctx.strokeStyle = color;
  ctx.lineWidth = width;
  ctx.lineJoin = ctx.lineCap = "round";
  ctx.beginPath();
  for (const [x, y] of points) ctx.lineTo(camera.x(x), camera.y(y));
  ctx.stroke();
}

// The head of an arrow, in thicknesses of the arrow. It is slim, a third longer than wide: a field of
// broad heads looks like a field of triangles.
const HEAD_LENGTH = 4.6;
const HEAD_HALF_WIDTH = 1.75;
// A short arrow is all head. That it still points somewhere, it stays longer than wide: its length is
// at least so many half widths.
const SHORT_HEAD = 2.6;
const LEAST_LENGTH = 0.5; // pixels: a shorter arrow has no direction that could be seen

/**
 * Adds to the path an arrow from the pixel (px, py), as long as (dx, dy), of this thickness.
 * @param {Context} ctx
 * @param {number} px
 * @param {number} py
 * @param {number} dx
 * @param {number} dy
 * @param {number} thickness
 */
export function arrow(ctx, px, py, dx, dy, thickness) {
  const length = Math.hypot(dx, dy);
  if (!(length > LEAST_LENGTH)) return;
  const [ex, ey] = [dx / length, dy / length];
  const head = Math.min(HEAD_LENGTH * thickness, length);
  const half = Math.min(HEAD_HALF_WIDTH * thickness, length / SHORT_HEAD);
  const shaft = Math.min(thickness / 2, half / 2);
  /** @type {(along: number, across: number) => void} */
  const corner = (along, across) =>
    ctx.lineTo(px + along * ex - across * ey, py + along * ey + across * ex);
  ctx.moveTo(px + shaft * ey, py - shaft * ex);
  corner(0, shaft);
  corner(length - head, shaft);
  corner(length - head, half);
  corner(length, 0);
  corner(length - head, -half);
  corner(length - head, -shaft);
  ctx.closePath();
}

/**
 * The sign of a solver, as in fmcore.viz.theme, so that colour is not all that tells them apart: the
 * corners x0, y0, x1, y1, ... of a shape as large as a circle. Any other sign is a circle.
 * @type {Record<string, number[]>}
 */
const SIGNS = {
  s: [-1, -1, 1, -1, 1, 1, -1, 1],
  D: [0, -1.35, 1.35, 0, 0, 1.35, -1.35, 0],
  "^": [0, -1.35, 1.25, 0.95, -1.25, 0.95],
  v: [0, 1.35, 1.25, -0.95, -1.25, -0.95],
  P: [
    -0.45, -1.3, 0.45, -1.3, 0.45, -0.45, 1.3, -0.45, 1.3, 0.45, 0.45, 0.45, 0.45, 1.3, -0.45, 1.3,
    -0.45, 0.45, -1.3, 0.45, -1.3, -0.45, -0.45, -0.45,
  ],
};
const CIRCLE = 1.15; // the radius of a circle as large as those shapes
const RIM = 2; // pixels

/**
 * Signs at points of the plane, with a rim that parts them from what they cover.
 * @param {Context} ctx
 * @param {Camera} camera
 * @param {Point[]} points
 * @param {string} sign
 * @param {number} radius
 * @param {string} color
 * @param {string} rim
 */
export function marks(ctx, camera, points, sign, radius, color, rim) {
  const corners = SIGNS[sign];
  ctx.beginPath();
  for (const [x, y] of points) {
    const [px, py] = [camera.x(x), camera.y(y)];
    if (!corners) {
      circle(ctx, px, py, CIRCLE * radius);
      continue;
    }
    for (let i = 0; i < corners.length; i += 2) {
      const [cx, cy] = [px + radius * corners[i], py + radius * corners[i + 1]];
      if (i === 0) ctx.moveTo(cx, cy);
      else ctx.lineTo(cx, cy);
    }
    ctx.closePath();
  }
  ctx.lineWidth = RIM;
  ctx.lineJoin = "round";
  ctx.strokeStyle = rim;
  ctx.stroke();
  ctx.fillStyle = color;
  ctx.fill();
}
