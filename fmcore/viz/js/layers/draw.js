// Colours, dots, lines and arrowheads: what every layer draws with.

/** A canvas layer of the stage, sharp on every screen. */
export class Layer {
  constructor(parent) {
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    parent.append(this.canvas);
    this.ctx = this.canvas.getContext("2d");
  }

  /** An empty layer of so many CSS pixels. */
  clear(width, height) {
    const ratio = Math.min(window.devicePixelRatio || 1, 2); // more costs time and shows nothing
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

const channels = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

/** A colour "#rrggbb" with an opacity. */
export function fade(hex, opacity) {
  return `rgba(${channels(hex).join(",")},${opacity.toFixed(3)})`;
}

/** The colour at `at` in [0, 1] of the way through a list of colours. */
export function blend(colors, at) {
  const place = Math.min(Math.max(at, 0), 1) * (colors.length - 1);
  const i = Math.min(Math.floor(place), colors.length - 2);
  const [from, to] = [channels(colors[i]), channels(colors[i + 1])];
  const hex = from.map((c, d) => Math.round(c + (place - i) * (to[d] - c)));
  return `#${hex.map((c) => c.toString(16).padStart(2, "0")).join("")}`;
}

/** Adds to the path a circle around the pixel (px, py). */
export function circle(ctx, px, py, radius) {
  ctx.moveTo(px + radius, py);
  ctx.arc(px, py, radius, 0, 7);
}

/** Dots at n points. The smallest are squares, which nobody can tell and which cost a sixth. */
export function dots(ctx, camera, x, y, n, radius, color) {
  ctx.fillStyle = color;
  ctx.beginPath();
  for (let i = 0; i < n; i++) {
    const [px, py] = [camera.x(x[i]), camera.y(y[i])];
    if (radius < 1.5) {
      ctx.fillRect(px - 0.88 * radius, py - 0.88 * radius, 1.76 * radius, 1.76 * radius);
    } else circle(ctx, px, py, radius);
  }
  ctx.fill();
}

/** Hairlines from n points to n others: of all lines the cheapest, above all in small portions. */
export function segments(ctx, camera, [ax, ay], [bx, by], n, color) {
  ctx.strokeStyle = color;
  ctx.lineWidth = 1;
  ctx.lineCap = "butt";
  for (let from = 0; from < n; from += 200) {
    ctx.beginPath();
    for (let i = from; i < Math.min(n, from + 200); i++) {
      ctx.moveTo(camera.x(ax[i]), camera.y(ay[i]));
      ctx.lineTo(camera.x(bx[i]), camera.y(by[i]));
    }
    ctx.stroke();
  }
}

/** A line through points of the plane. */
export function line(ctx, camera, points, width, color) {
  ctx.strokeStyle = color;
  ctx.lineWidth = width;
  ctx.lineJoin = ctx.lineCap = "round";
  ctx.beginPath();
  for (const [x, y] of points) ctx.lineTo(camera.x(x), camera.y(y));
  ctx.stroke();
}

/** Adds to the path an arrow from the pixel (px, py), as long as (dx, dy), of this thickness. */
export function arrow(ctx, px, py, dx, dy, thickness) {
  const length = Math.hypot(dx, dy);
  if (!(length > 0.5)) return;
  const [ex, ey] = [dx / length, dy / length];
  const head = Math.min(4.6 * thickness, length);
  const half = Math.min(1.75 * thickness, length / 2.6);
  const shaft = Math.min(thickness / 2, half / 2);
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

/** The sign of a solver, as in fmcore.viz.theme, so that colour is not all that tells them apart. */
const SIGNS = {
  s: [[-1, -1], [1, -1], [1, 1], [-1, 1]],
  D: [[0, -1.35], [1.35, 0], [0, 1.35], [-1.35, 0]],
  "^": [[0, -1.35], [1.25, 0.95], [-1.25, 0.95]],
  v: [[0, 1.35], [1.25, -0.95], [-1.25, -0.95]],
  P: [
    [-0.45, -1.3], [0.45, -1.3], [0.45, -0.45], [1.3, -0.45], [1.3, 0.45], [0.45, 0.45],
    [0.45, 1.3], [-0.45, 1.3], [-0.45, 0.45], [-1.3, 0.45], [-1.3, -0.45], [-0.45, -0.45],
  ],
};

export function marks(ctx, camera, points, sign, radius, color, rim) {
  ctx.beginPath();
  for (const [x, y] of points) {
    const [px, py] = [camera.x(x), camera.y(y)];
    if (SIGNS[sign]) {
      SIGNS[sign].forEach(([dx, dy], i) =>
        ctx[i ? "lineTo" : "moveTo"](px + radius * dx, py + radius * dy),
      );
      ctx.closePath();
    } else circle(ctx, px, py, 1.15 * radius);
  }
  ctx.lineWidth = 2;
  ctx.lineJoin = "round";
  ctx.strokeStyle = rim;
  ctx.stroke();
  ctx.fillStyle = color;
  ctx.fill();
}
