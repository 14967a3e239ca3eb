// The stage of the pair figure: the field at one time and the scales; pairs and trajectories; points
// and what the hand holds. And where on it a point is, and which point is near a pixel.

import { pairs } from "../fields/pairs.js";
import { make } from "../ui/controls.js";
import { Camera } from "./camera.js";
import { Layer } from "./draw.js";
import { FieldLayer } from "./field_layer.js";
import { drawScales } from "./ground_layer.js";
import { between, drawHold, drawLines, drawPoints } from "./pair_layer.js";

/** @typedef {import("../flow/pair_flow.js").PairSpec} PairSpec */
/** @typedef {import("../flow/pair_flow.js").PairFlow} PairFlow */
/** @typedef {import("../ui/pair_hand.js").Held} Held */
/** @typedef {import("./pair_layer.js").Drawing} Drawing */
/** @typedef {import("./pair_layer.js").Mark} Mark */

const REACH = 3.5; // widths of a cloud within which the field is shown
const AIR = 0.85; // opacity of the arrows
const TURN = 450; // milliseconds from one picture to that of the next pairing

export class PairPanel {
  stale = { field: true, lines: true };
  fieldTime = NaN; // of the field in the picture
  /** @type {Drawing | null} the picture as it is */
  drawn = null;
  /** @type {{ from: Drawing, since: number } | null} the picture before, until it has turned */
  turning = null;

  /** @param {PairSpec} spec */
  constructor(spec) {
    this.spec = spec;
    this.n = spec.x0.length / 2;
    this.node = make("div", { className: "fm-panel", role: "group", "aria-label": spec.alt });
    this.camera = new Camera(spec.extent);
    this.layers = Array.from({ length: 3 }, () => new Layer(this.node));
    this.cursor = make("button", { type: "button", className: "fm-cursor" });
    this.node.append(this.cursor);
    // One scale for the arrows of every pairing: where pairs are shorter, they are slower.
    const { partners } = spec.pairings[0];
    this.fieldLayer = new FieldLayer(this.#field(partners, Infinity), this.camera, [0, 1]);
  }

  /** Takes the size that the page gives it. */
  fit() {
    this.camera.fit(this.node.clientWidth, this.node.clientHeight);
    this.redraw();
  }

  redraw() {
    this.stale = { field: true, lines: true };
  }

  /** From here the picture turns into the next one. */
  turn() {
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.turning = this.drawn && !still ? { from: this.drawn, since: performance.now() } : null;
    this.redraw();
  }

  /** @type {(mark: Mark) => Point} */
  place({ side, i }) {
    const points = side === 0 ? this.spec.x0 : this.spec.x1;
    return [points[2 * i], points[2 * i + 1]];
  }

  /** @type {(mark: Mark) => Point} */
  pixel(mark) {
    const [x, y] = this.place(mark);
    return [this.camera.x(x), this.camera.y(y)];
  }

  /**
   * The nearest point within so many pixels; of one side, if that is given.
   * @type {(px: number, py: number, within: number, side?: number) => Mark | null}
   */
  find(px, py, within, side) {
    /** @type {Mark | null} */
    let best = null;
    for (let k = 0; k < 2 * this.n; k++) {
      /** @type {Mark} */
      const mark = { side: k < this.n ? 0 : 1, i: k % this.n };
      if (side !== undefined && side !== mark.side) continue;
      const [x, y] = this.pixel(mark);
      const far = Math.hypot(x - px, y - py);
      if (far < within) [best, within] = [mark, far];
    }
    return best;
  }

  /**
   * shown: the noise point whose pair stands out.
   * @param {PairFlow} flow
   * @param {number} share
   * @param {Record<string, boolean>} views
   * @param {Look & Colors} look
   * @param {Held} held
   * @param {number | null} shown
   */
  paint(flow, share, views, look, held, shown) {
    const { camera, layers, stale } = this;
    const { width, height } = camera;
    const drawing = this.#drawing(flow);
    if (stale.field || share !== this.fieldTime) {
      this.fieldLayer.field = this.#field(flow.partners, REACH);
      const ctx = layers[0].clear(width, height);
      const state = { views: { arrows: views.field, streamlines: false } };
      const scene = /** @type {any} */ ({ state, t: share, look: { ...look, air: AIR } });
      this.fieldLayer.draw(ctx, scene);
      drawScales(ctx, camera, look);
      this.fieldTime = share;
    }
    if (stale.lines) drawLines(layers[1].clear(width, height), camera, drawing, look, views);
    this.stale = { field: false, lines: this.turning !== null };
    const ctx = layers[2].clear(width, height);
    drawPoints(ctx, camera, { ...drawing, to: flow.to }, look, views, share);
    const { picked, goal, hand } = held;
    drawHold(ctx, camera, drawing, look, {
      shown,
      picked: picked && this.place(picked),
      goal: goal && this.place(goal),
      hand: hand && camera.plane(...hand),
    });
  }

  /**
   * The picture of a flow; on the turn from one to the next, part of each.
   * @param {PairFlow} flow
   * @returns {Drawing}
   */
  #drawing({ states, to, one }) {
    this.drawn = { from: states[0], to, states, one };
    if (!this.turning) return this.drawn;
    const { from, since } = this.turning;
    const share = (performance.now() - since) / TURN;
    if (share >= 1) this.turning = null;
    else {
      const eased = share * share * (3 - 2 * share);
      this.drawn.to = between(from.to, to, eased);
      this.drawn.states = from.states.map((state, k) => between(state, states[k], eased));
    }
    return this.drawn;
  }

  /** @type {(partners: number[], reach: number) => Field} */
  #field(partners, reach) {
    const { x0, x1, width } = this.spec;
    return pairs(x0, x1, partners, width, reach * width);
  }
}
