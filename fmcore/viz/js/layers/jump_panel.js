// The stage of the jump figure: the target and the scales; on top what jumps, and the ring.

import { make } from "../ui/controls.js";
import { Camera } from "./camera.js";
import { dots, fade, Layer } from "./draw.js";
import { drawScales } from "./ground_layer.js";
import { Handle } from "./handle.js";
import { drawEnds, drawOne } from "./jump_layer.js";

/** @typedef {import("../flow/jump_flow.js").JumpFlow} JumpFlow */

const [TARGET, FAINT] = [1.6, 0.4]; // pixels, the radius of its dots, and their opacity

export class JumpPanel {
  stale = true; // the ground; the front always is

  /**
   * @param {import("../flow/jump_flow.js").JumpSpec} spec
   * @param {Cloud | null} target
   */
  constructor(spec, target) {
    this.target = target;
    this.label = make("div", { className: "fm-label" });
    this.node = make("div", { className: "fm-panel", role: "group", "aria-label": spec.alt });
    this.camera = new Camera(spec.extent);
    this.handle = new Handle(this.camera);
    this.ground = new Layer(this.node);
    this.front = new Layer(this.node);
    this.node.append(this.label, this.handle.node);
  }

  /** Takes the size that the page gives it. */
  fit() {
    this.camera.fit(this.node.clientWidth, this.node.clientHeight);
    this.stale = true;
  }

  /**
   * @param {JumpFlow} flow
   * @param {Look & Colors} look
   * @param {Point} start
   */
  paint(flow, look, start) {
    const { camera } = this;
    const { width, height } = camera;
    if (this.stale) {
      const ctx = this.ground.clear(width, height);
      if (this.target) {
        const { x, y } = this.target;
        dots(ctx, camera, x, y, x.length, TARGET, fade(look.target, FAINT));
      }
      drawScales(ctx, camera, look);
      this.stale = false;
    }
    const ctx = this.front.clear(width, height);
    drawEnds(ctx, camera, flow, look);
    drawOne(ctx, camera, flow, look);
    this.handle.move(start);
  }
}
