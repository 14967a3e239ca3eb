// One picture of the plane, layer upon layer: the scales and the target; the field at one time; a
// run's particles, the path of the starting point and what the pointer asks for. On top stands the
// ring that marks the starting point.

import { Camera } from "./camera.js";
import { make } from "../ui/controls.js";
import { Layer } from "./draw.js";
import { FieldLayer } from "./field_layer.js";
import { drawScales, drawTarget } from "./ground_layer.js";
import { ParticleLayer } from "./particle_layer.js";
import { drawHover, drawPath } from "./probe_layer.js";
import { number } from "../ui/words.js";

export class Panel {
  constructor(spec, field) {
    Object.assign(this, { spec, field });
    this.handle = make("button", { type: "button", className: "fm-handle" });
    this.label = make("div", { className: "fm-label" });
    this.node = make("div", { className: "fm-panel", role: "group", "aria-label": spec.alt });
    this.camera = new Camera(spec.extent);
    this.layers = ["ground", "field", "front"].map(() => new Layer(this.node));
    this.node.append(this.label, this.handle);
    this.fieldLayer = new FieldLayer(field, this.camera, spec.span);
    this.particleLayer = new ParticleLayer(this.camera, spec.particles);
    this.stale = { ground: true, field: true };
  }

  /** Takes the size that the page gives it. */
  fit() {
    this.camera.fit(this.node.clientWidth, this.node.clientHeight);
    this.stale = { ground: true, field: true };
  }

  /** figure: what is shown and how it looks; run, path: of this panel's solver. */
  paint(figure, run, path, exact) {
    const { camera, stale, field, fieldLayer } = this;
    const { state, t, look, target, found } = figure;
    const [ground, middle, front] = this.layers.map((layer, i) => () =>
      layer.clear(camera.width, camera.height),
    );
    if (stale.ground && target) drawTarget(ground(), camera, target, look);
    if (stale.field) {
      const ctx = middle();
      const { arrows, streamlines } = state.views;
      if (streamlines) fieldLayer.streamlines(ctx, t, look, arrows ? 0.6 : 1);
      if (arrows) fieldLayer.arrows(ctx, t, look);
      drawScales(ctx, camera, look);
    }
    this.stale = { ground: false, field: false };
    const ctx = front();
    // Where conditional paths are shown, the crowd recedes.
    ctx.globalAlpha = found?.paths.length ? 0.3 : 1;
    if (state.views.particles && run) this.particleLayer.draw(ctx, run, t, look);
    ctx.globalAlpha = 1;
    if (path) drawPath(ctx, camera, path, exact, t, look);
    if (found) drawHover(ctx, camera, field, found, fieldLayer.unit, figure.span, look);
    this.place(state.start);
  }

  /** The ring stands where the starting point is. */
  place([x, y]) {
    this.handle.style.left = `${this.camera.x(x)}px`;
    this.handle.style.top = `${this.camera.y(y)}px`;
    const text = `Starting point ${number(x)}, ${number(y)}; arrow keys move it`;
    if (this.handle.getAttribute("aria-label") !== text) this.handle.setAttribute("aria-label", text);
  }
}
