// The figure: what is chosen, what follows from it, and when which layer is drawn anew.

import { Camera } from "./camera.js";
import { Layer } from "./draw.js";
import { FieldLayer } from "./field_layer.js";
import { makeField } from "./fields.js";
import { drawScales, drawTarget } from "./ground_layer.js";
import { look } from "./look.js";
import { ParticleLayer, voyage } from "./particle_layer.js";
import { drawHover, drawProbe, inspect, probe } from "./probe_layer.js";
import { draw } from "./random.js";
import { meanDistance, meanEnd, Run } from "./run.js";

const SECONDS = 7; // from the source to the target
const HOLD = 1.6; // at the end, before the particles set out again
const FIRST = 32; // milliseconds for the first picture of a costly field, and then
const MORE = 12; // for each of the pictures that complete it

export class Figure {
  /** spec: the unpacked data; stage: where the layers go; changed(figure): after each picture. */
  constructor(spec, stage, changed) {
    Object.assign(this, { spec, stage, changed, span: spec.span });
    this.field = makeField(spec.field);
    this.camera = new Camera(spec.extent);
    this.layers = ["ground", "field", "front"].map(() => new Layer(stage));
    this.fieldLayer = new FieldLayer(this.field, this.camera, spec.span);
    this.particleLayer = new ParticleLayer(this.camera, spec.particles);
    this.target = spec.target && draw(spec.target, Math.min(600, spec.particles), 9);
    this.state = { ...spec.start_state, hover: null };
    this.runs = [];
    this.stale = { runs: true, ground: true, field: true };
    this.visible = true;
    this.theme("light");
  }

  /** Takes over what has changed, and asks for a new picture. */
  set(changes) {
    const keys = Object.keys(changes).filter((key) => this.state[key] !== changes[key]);
    Object.assign(this.state, changes);
    const any = (...names) => names.some((name) => keys.includes(name));
    if (any("solver", "steps", "tolerance", "compare", "seed", "start")) this.stale.runs = true;
    if (any("views") || (any("share") && !this.field.steady)) this.stale.field = true;
    if (any("playing")) this.hold = 0;
    this.ask();
  }

  theme(name) {
    this.themeName = name;
    this.look = look(name, this.spec.colors);
    this.stale.ground = this.stale.field = true;
    this.ask();
  }

  resize(width, height) {
    this.camera.fit(width, height);
    this.stale.ground = this.stale.field = true;
    this.ask();
  }

  /** Off-screen figures stop. */
  show(visible) {
    this.visible = visible;
    this.ask();
  }

  get t() {
    return this.span[0] + this.state.share * (this.span[1] - this.span[0]);
  }

  ask() {
    this.asked ||= this.visible && requestAnimationFrame((now) => this.frame(now));
  }

  stop() {
    cancelAnimationFrame(this.asked);
    this.asked = this.visible = false;
  }

  frame(now) {
    this.asked = 0;
    if (!this.visible) return (this.last = undefined);
    const begun = performance.now();
    if (this.state.playing) this.advance(Math.min((now - (this.last ?? now)) / 1000, 0.1));
    this.last = this.state.playing ? now : undefined;
    const fresh = this.stale.runs;
    if (fresh) this.restart();
    const busy = this.runs.some((run) => !run.done);
    for (const run of this.runs) run.work((fresh ? FIRST : MORE) / this.runs.length);
    this.paint();
    this.milliseconds = performance.now() - begun;
    if (this.state.playing || this.runs.some((run) => !run.done)) this.ask();
    this.changed(this, fresh || busy);
  }

  advance(seconds) {
    const { share } = this.state;
    if (share >= 1) {
      this.hold = (this.hold || 0) + seconds;
      if (this.hold < HOLD) return;
    }
    this.hold = 0;
    this.state.share = share >= 1 ? 0 : Math.min(1, share + seconds / SECONDS);
    if (!this.field.steady) this.stale.field = true;
  }

  /** The solvers with their steps: one, or two to compare. */
  choices() {
    const { solver, steps, tolerance, compare } = this.state;
    const find = (id) => this.spec.solvers.find((one) => one.id === id);
    const chosen = [{ solver: find(solver), steps, tolerance }];
    if (compare) chosen.push({ ...compare, solver: find(compare.solver) });
    return chosen;
  }

  restart() {
    const { spec, field, span, state } = this;
    this.stale.runs = false;
    this.problem = null;
    if (this.drawn !== state.seed) this.start = draw(spec.source, spec.particles, state.seed);
    this.drawn = state.seed;
    try {
      const choices = this.choices();
      this.runs = choices.map((choice) => new Run(field, choice, this.start, span));
      this.probe = probe(field, choices, state.start, span, spec.reference);
    } catch (error) {
      this.runs = [];
      this.probe = null;
      this.problem = error.message;
    }
  }

  /** The colour of each run; the same solver twice needs a second one. */
  colors() {
    const [one, other] = this.choices().map(({ solver }) => solver.color);
    return [one, one === other ? this.look.quiet : other];
  }

  paint() {
    const { camera, state, t } = this;
    const [width, height] = [camera.width, camera.height];
    const [ground, field, front] = this.layers;
    if (this.stale.ground) {
      const ctx = ground.clear(width, height);
      if (this.target) drawTarget(ctx, camera, this.target, this.look);
    }
    if (this.stale.field) {
      const ctx = field.clear(width, height);
      const { field: color, fieldOpacity } = this.look;
      const { arrows, streamlines } = state.views;
      if (streamlines) {
        this.fieldLayer.streamlines(ctx, t, color, fieldOpacity * (arrows ? 0.6 : 0.95));
      }
      if (arrows) this.fieldLayer.arrows(ctx, t, color, fieldOpacity);
      drawScales(ctx, camera, this.look);
    }
    this.stale.ground = this.stale.field = false;
    const ctx = front.clear(width, height);
    const colors = this.colors();
    const [one, other] = this.runs;
    // Where conditional paths are shown, the crowd recedes.
    ctx.globalAlpha = state.hover && this.field.conditionals ? 0.3 : 1;
    if (state.views.particles && one) {
      const layer = this.particleLayer;
      if (other) {
        layer.gaps(ctx, one, other, t, this.look.quiet);
        layer.dots(ctx, one, t, colors[0]);
        layer.dots(ctx, other, t, colors[1]);
      } else {
        layer.draw(ctx, one, t, (this.voyage ??= voyage(this.spec.colors)));
      }
    }
    ctx.globalAlpha = 1;
    if (this.probe) drawProbe(ctx, camera, this.probe, colors, t, this.look);
    this.found = state.hover && inspect(this.field, t, state.hover);
    if (this.found) {
      drawHover(ctx, camera, this.field, this.found, this.fieldLayer.unit, this.span, this.look);
    }
  }

  /** All there is to know, in figures: for the readout, and for tests. */
  report() {
    const { solver, steps, tolerance, playing, views, start, seed } = this.state;
    const [one, other] = this.runs;
    const about = (run) => run && { nfe: run.nfe, steps: run.steps, ready: run.ready };
    return {
      solver, steps, tolerance, playing, views: { ...views }, start: [...start], seed,
      t: this.t,
      ...about(one),
      particles: this.spec.particles,
      mean: one && meanEnd(one),
      farthest: one && Math.max(...one.end()[0].map((x, i) => Math.hypot(x, one.end()[1][i]))),
      end: this.probe?.runs.map((run) => run.end().map((z) => z[0])) ?? null,
      compare: other ? { solver: this.state.compare.solver, ...about(other) } : null,
      distance: other ? meanDistance(one, other) : null,
      hover: this.found ?? null,
      theme: this.themeName,
      problem: this.problem,
      pending: this.stale.runs || this.runs.some((run) => !run.done),
      milliseconds: this.milliseconds,
    };
  }
}
