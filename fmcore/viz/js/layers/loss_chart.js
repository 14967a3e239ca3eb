// The loss while a network learns: that of the batches, that on the test pairs, and its floor.

import { fade, Layer } from "./draw.js";

/** @typedef {import("../train/worker.js").Report} Report */

const [LEFT, RIGHT, TOP, BOTTOM] = [34, 6, 8, 18]; // pixels around the plot
const MOST = 1.35; // times the floor, or the least loss: what is higher is cut off
const DOT = 1.4; // pixels

export class LossChart {
  /** @param {HTMLElement} node  its place */
  constructor(node) {
    this.node = node;
    this.layer = new Layer(node);
  }

  /**
   * @param {Report[]} reports
   * @param {number} steps  of the whole training
   * @param {Look & Colors} look
   */
  draw(reports, steps, look) {
    const { clientWidth: width, clientHeight: height } = this.node;
    const ctx = this.layer.clear(width, height);
    if (!reports.length) return;
    const tests = reports.map(({ test }) => test).filter(Number.isFinite);
    const floors = reports.flatMap(({ floor }) => floor ?? []);
    const least = Math.min(...tests, ...floors);
    const [low, high] = [0.92 * least, Math.min(Math.max(...tests), MOST * least) * 1.04];
    /** @param {number} step */
    const x = (step) => LEFT + (step / steps) * (width - LEFT - RIGHT);
    /** @param {number} loss */
    const y = (loss) => height - BOTTOM - ((loss - low) / (high - low)) * (height - TOP - BOTTOM);
    ctx.font = "11px system-ui, sans-serif";
    ctx.fillStyle = look.quiet;
    ctx.textAlign = "right";
    const unit = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5].find((u) => (high - low) / u < 5) ?? 10;
    ctx.strokeStyle = fade(look.ink, 0.12);
    ctx.lineWidth = 1;
    for (let i = Math.ceil(low / unit); i * unit <= high; i++) {
      ctx.fillText(String(Number((i * unit).toFixed(2))), LEFT - 5, y(i * unit) + 4);
      ctx.beginPath();
      ctx.moveTo(LEFT, y(i * unit));
      ctx.lineTo(width - RIGHT, y(i * unit));
      ctx.stroke();
    }
    ctx.textAlign = "left";
    ctx.fillText("loss over steps", LEFT, height - 4);
    ctx.textAlign = "right";
    ctx.fillText(steps.toLocaleString("en"), width - RIGHT, height - 4);
    ctx.save();
    ctx.beginPath();
    ctx.rect(LEFT, 0, width - LEFT, height - BOTTOM);
    ctx.clip();
    ctx.fillStyle = fade(look.path, 0.45);
    for (const { step, loss } of reports) {
      if (loss) ctx.fillRect(x(step) - DOT, y(loss) - DOT, 2 * DOT, 2 * DOT);
    }
    for (const reflowed of [false, true]) {
      const part = reports.filter((report) => report.reflowed === reflowed);
      curve(ctx, look.path, 2, part, (report) => [x(report.step), y(report.test)]);
    }
    const known = reports.filter(({ floor }) => floor !== null);
    ctx.setLineDash([5, 4]);
    const floor = known.flatMap((report) => report.floor ?? []).pop();
    if (floor !== undefined) {
      const end = known.length < reports.length ? known[known.length - 1].step : steps;
      curve(ctx, look.ink, 1.3, [0, end], (step) => [x(step), y(floor)]);
    }
    ctx.restore();
  }
}

/**
 * @template T
 * @param {Context} ctx
 * @param {string} color
 * @param {number} width
 * @param {T[]} list
 * @param {(one: T) => Point} at
 */
function curve(ctx, color, width, list, at) {
  ctx.strokeStyle = color;
  ctx.lineWidth = width;
  ctx.beginPath();
  for (const one of list) ctx.lineTo(...at(one));
  ctx.stroke();
}
