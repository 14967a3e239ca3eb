// The field at one time: arrows on an even grid, and streamlines.

import { arrow, fade } from "./draw.js";

/** Points in the middle of cells that are about `size` wide, anchored so that zero is a corner. */
function cells([xmin, xmax, ymin, ymax], size) {
  const x = [];
  const y = [];
  for (let j = Math.floor(ymin / size); j * size < ymax; j++) {
    for (let i = Math.floor(xmin / size); i * size < xmax; i++) {
      const [cx, cy] = [(i + 0.5) * size, (j + 0.5) * size];
      if (cx > xmin && cx < xmax && cy > ymin && cy < ymax) {
        x.push(cx);
        y.push(cy);
      }
    }
  }
  return { x: Float64Array.from(x), y: Float64Array.from(y), n: x.length };
}

export class FieldLayer {
  constructor(field, camera, [t0, t1]) {
    Object.assign(this, { field, camera });
    // One scale for all times: the speed that all but the fastest tenth do not exceed.
    const { x, y, n } = cells(camera.extent, (camera.extent[1] - camera.extent[0]) / 12);
    const [u, v] = [new Float64Array(n), new Float64Array(n)];
    const speeds = [];
    for (const share of [0, 0.25, 0.5, 0.75, 0.95]) {
      field.evaluate(t0 + share * (t1 - t0), x, y, n, u, v);
      for (let i = 0; i < n; i++) speeds.push(Math.hypot(u[i], v[i]));
    }
    speeds.sort((a, b) => a - b);
    this.unit = speeds[Math.floor(0.9 * speeds.length)] || speeds.at(-1) || 1;
  }

  arrows(ctx, t, look) {
    const { camera, field, unit } = this;
    const pixels = Math.min(Math.max(Math.sqrt(camera.width * camera.height) / 17, 24), 36);
    const size = pixels / camera.scale;
    const { x, y, n } = cells(camera.view(field.domain), size);
    const [u, v] = [new Float64Array(n), new Float64Array(n)];
    field.evaluate(t, x, y, n, u, v);
    // Three shades, so that the slow air recedes; each is one fill.
    for (const [low, high, shade] of [[0.02, 0.2, 0.6], [0.2, 0.5, 0.8], [0.5, Infinity, 1]]) {
      ctx.beginPath();
      for (let i = 0; i < n; i++) {
        const speed = Math.hypot(u[i], v[i]) / unit;
        if (!(speed >= low && speed < high)) continue;
        const length = (0.92 * pixels * Math.min(speed, 1.15)) / (speed || 1) / unit;
        const [dx, dy] = [length * u[i], -length * v[i]];
        arrow(ctx, camera.x(x[i]) - dx / 2, camera.y(y[i]) - dy / 2, dx, dy, pixels * 0.05);
      }
      ctx.fillStyle = fade(look.field, look.air * shade);
      ctx.fill();
    }
  }

  /** Integral curves of the field held at time t, through even seeds, of even length in space. */
  streamlines(ctx, t, look, opacity) {
    const { camera, field } = this;
    const size = 30 / camera.scale;
    const seeds = cells(camera.view(field.domain), size);
    const { n } = seeds;
    const [u, v, mx, my] = Array.from({ length: 4 }, () => new Float64Array(n));
    const stride = 5 / camera.scale;
    const half = 11;
    const slow = 1e-3 * this.unit;
    // Both halves of each line in lockstep: midpoint steps of one stride along v / |v|.
    const sides = [1, -1].map((sign) => {
      const states = [[seeds.x, seeds.y]];
      for (let k = 0; k < half; k++) {
        const [x, y] = states[k];
        const [nx, ny] = [new Float64Array(n), new Float64Array(n)];
        const advance = (far, outX, outY) => {
          for (let i = 0; i < n; i++) {
            const w = (sign * far) / (Math.hypot(u[i], v[i]) + slow);
            outX[i] = x[i] + w * u[i];
            outY[i] = y[i] + w * v[i];
          }
        };
        field.evaluate(t, x, y, n, u, v);
        advance(stride / 2, mx, my);
        field.evaluate(t, mx, my, n, u, v);
        advance(stride, nx, ny);
        states.push([nx, ny]);
      }
      return states;
    });
    const line = [...sides[1].reverse(), ...sides[0].slice(1)];
    // Thin behind, full in front: the line itself shows its direction.
    const pieces = 4;
    ctx.lineCap = "butt";
    ctx.lineJoin = "round";
    for (let k = 0; k < pieces; k++) {
      const [from, to] = [k, k + 1].map((j) => Math.round((j * (line.length - 1)) / pieces));
      ctx.beginPath();
      for (let i = 0; i < n; i++) {
        ctx.moveTo(camera.x(line[from][0][i]), camera.y(line[from][1][i]));
        for (let j = from + 1; j <= to; j++) {
          ctx.lineTo(camera.x(line[j][0][i]), camera.y(line[j][1][i]));
        }
      }
      ctx.lineWidth = 0.7 + 0.22 * k;
      ctx.strokeStyle = fade(look.field, (opacity * (k + 1)) / pieces);
      ctx.stroke();
    }
  }
}
