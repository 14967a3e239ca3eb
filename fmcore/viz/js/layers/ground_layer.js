// What does not move: the target, and the scales along two edges.

import { circle, fade } from "./draw.js";

/** @typedef {import("./camera.js").Camera} Camera */

/**
 * Small rings, so that whatever arrives can be told from where it should.
 * @param {Context} ctx
 * @param {Camera} camera
 * @param {Scene} scene
 */
export function drawTarget(ctx, camera, { target, look }) {
  if (!target) return;
  const { x, y } = target;
  const radius = Math.min(2.2, 1 + camera.scale / 80); // larger where there is more room
  ctx.strokeStyle = fade(look.target, 0.8);
  ctx.lineWidth = 0.9;
  ctx.beginPath();
  for (let i = 0; i < x.length; i++) circle(ctx, camera.x(x[i]), camera.y(y[i]), radius);
  ctx.stroke();
}

const UNITS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100];
const APART = 56; // pixels between two numbers, at least
const TICK = 4; // pixels
// Pixels at the ends of an edge that stay free: the corners, and above the place of the label.
const FREE = { left: 40, right: 14, bottom: 26, top: 38 };

/**
 * Numbers with a rim in the colour of the stage: they stand on top of the arrows.
 * @param {Context} ctx
 * @param {Camera} camera
 * @param {Look} look
 */
export function drawScales(ctx, camera, look) {
  const unit = UNITS.find((u) => u * camera.scale >= APART) ?? UNITS[UNITS.length - 1];
  const [xmin, xmax, ymin, ymax] = camera.view();
  ctx.fillStyle = look.quiet;
  ctx.strokeStyle = look.stage;
  ctx.lineWidth = 4;
  ctx.lineJoin = "round";
  ctx.font = "11px system-ui, sans-serif";
  /** @type {(value: number, px: number, py: number) => void} */
  const label = (value, px, py) => {
    const text = String(Number(value.toFixed(1))).replace("-", "−");
    ctx.strokeText(text, px, py);
    ctx.fillText(text, px, py);
  };
  /** @type {(low: number, high: number, draw: (value: number) => void) => void} */
  const eachUnit = (low, high, draw) => {
    for (let i = Math.ceil(low / unit); i * unit <= high; i++) draw(i * unit);
  };
  ctx.textAlign = "center";
  eachUnit(xmin + FREE.left / camera.scale, xmax - FREE.right / camera.scale, (x) => {
    ctx.fillRect(camera.x(x) - 0.5, camera.height - TICK, 1, TICK);
    label(x, camera.x(x), camera.height - 2 * TICK);
  });
  ctx.textAlign = "left";
  eachUnit(ymin + FREE.bottom / camera.scale, ymax - FREE.top / camera.scale, (y) => {
    ctx.fillRect(0, camera.y(y) - 0.5, TICK, 1);
    label(y, 2 * TICK, camera.y(y) + 4); // 4: half the height of a digit
  });
}
