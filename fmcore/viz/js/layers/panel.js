// One picture of the plane, layer upon layer: the target; the field at one time and the scales; a
// run's particles, the path of the starting point and what the pointer asks for. On top stands the
// ring that marks the starting point; above and beside it, if wanted, the marginals.

import { make } from "../ui/controls.js";
import { Camera } from "./camera.js";
import { Layer } from "./draw.js";
import { FieldLayer } from "./field_layer.js";
import { drawScales, drawTarget } from "./ground_layer.js";
import { Handle } from "./handle.js";
import { MarginalLayer } from "./marginal_layer.js";
import { ParticleLayer } from "./particle_layer.js";
import { drawPath, drawProbe } from "./probe_layer.js";

export class Panel {
  /** What has to be drawn anew; the front always is. */
  stale = { ground: true, field: true };
  /** @type {number | null} the time of the field in the picture */
  fieldTime = null;

  /**
   * @param {FlowSpec} spec
   * @param {Field} field
   */
  constructor(spec, field) {
    this.field = field;
    this.label = make("div", { className: "fm-label" });
    this.node = make("div", { className: "fm-panel", role: "group", "aria-label": spec.alt });
    this.camera = new Camera(spec.extent);
    this.handle = new Handle(this.camera);
    this.ground = new Layer(this.node);
    this.middle = new Layer(this.node);
    this.front = new Layer(this.node);
    this.node.append(this.label, this.handle.node);
    this.fieldLayer = new FieldLayer(field, this.camera, spec.span);
    this.particleLayer = new ParticleLayer(this.camera, spec.particles);
    this.marginals =
      spec.marginals && new MarginalLayer(field, this.camera, spec.span, spec.particles);
    /** What stands on the stage: the plane, and around it the marginals. */
    this.frame = this.marginals
      ? make("div", { className: "fm-plot" }, this.node, ...this.marginals.nodes)
      : this.node;
  }

  /** Takes the size that the page gives it. */
  fit() {
    this.camera.fit(this.node.clientWidth, this.node.clientHeight);
    this.stale = { ground: true, field: true };
  }

  /** @param {Scene} scene */
  paint(scene) {
    const { camera, stale } = this;
    const { width, height } = camera;
    if (!this.field.steady && scene.t !== this.fieldTime) stale.field = true;
    if (stale.ground) drawTarget(this.ground.clear(width, height), camera, scene);
    if (stale.field) {
      const ctx = this.middle.clear(width, height);
      this.fieldLayer.draw(ctx, scene);
      drawScales(ctx, camera, scene.look);
      this.fieldTime = scene.t;
    }
    this.stale = { ground: false, field: false };
    const ctx = this.front.clear(width, height);
    this.particleLayer.draw(ctx, scene);
    drawPath(ctx, camera, scene);
    drawProbe(ctx, camera, scene, this.field, this.fieldLayer.fullSpeed);
    if (this.marginals) this.marginals.draw(scene);
    this.handle.move(scene.state.start);
  }
}
