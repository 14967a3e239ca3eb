// What does not move: the target, and the scales along two edges.

import { circle, fade } from "./draw.js";

/** Small rings, so that whatever arrives can be told from where it should. */
export function drawTarget(ctx, camera, { x, y }, look) {
  const r = Math.min(2.2, 1 + camera.scale / 80);
  ctx.strokeStyle = fade(look.target, 0.8);
  ctx.lineWidth = 0.9;
  ctx.beginPath();
  x.forEach((at, i) => circle(ctx, camera.x(at), camera.y(y[i]), r));
  ctx.stroke();
}

/** Numbers with a rim in the colour of the stage: they stand on top of the arrows. */
export function drawScales(ctx, camera, look) {
  const unit = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].find((u) => u * camera.scale >= 56) ?? 100;
  const [xmin, xmax, ymin, ymax] = camera.view();
  ctx.fillStyle = look.quiet;
  ctx.strokeStyle = look.stage;
  ctx.lineWidth = 4;
  ctx.lineJoin = "round";
  ctx.font = "11px system-ui, sans-serif";
  const text = (value) => String(+value.toFixed(1)).replace("-", "−");
  const label = (words, px, py) => {
    ctx.strokeText(words, px, py);
    ctx.fillText(words, px, py);
  };
  const each = (low, high, draw) => {
    for (let i = Math.ceil(low / unit); i * unit <= high; i++) draw(i * unit);
  };
  ctx.textAlign = "center";
  each(xmin + 40 / camera.scale, xmax - 14 / camera.scale, (x) => {
    ctx.fillRect(camera.x(x) - 0.5, camera.height - 4, 1, 4);
    label(text(x), camera.x(x), camera.height - 8);
  });
  ctx.textAlign = "left";
  each(ymin + 26 / camera.scale, ymax - 38 / camera.scale, (y) => {
    ctx.fillRect(0, camera.y(y) - 0.5, 4, 1);
    label(text(y), 8, camera.y(y) + 4);
  });
}
