// The living figure of pairings: render({ model, el }). The reader chooses who is paired with whom, or
// does it by hand, and sees the field of the pairs and its trajectories follow.

import { joined, pairFlow, shuffled } from "./flow/pair_flow.js";
import { mount } from "./host/mount.js";
import { makeLook } from "./layers/look.js";
import { PairPanel } from "./layers/pair_panel.js";
import { make } from "./ui/controls.js";
import { describeMark, pairControls } from "./ui/pair_controls.js";
import { listenToHand } from "./ui/pair_hand.js";
import { Player } from "./ui/player.js";

/** @typedef {import("./flow/pair_flow.js").PairSpec} PairSpec */
/** @typedef {import("./flow/pair_flow.js").PairFlow} PairFlow */
/** @typedef {import("./layers/pair_layer.js").Mark} Mark */
/** @typedef {import("./ui/pair_controls.js").PairState} PairState */

const OWN = { id: "own", label: "Your own" };

/** @param {Host} host */
export function render({ model, el }) {
  return mount({ model, el }, (spec, fail) => build(spec, fail, el));
}

export default { render };

/** The pairings, the one that is shown, and what is computed of them. */
class PairFigure {
  /** @type {Record<string, PairFlow>} by pairing, as far as they are computed */
  flows = {};
  /** @type {import("./ui/pair_hand.js").Held} */
  held = { picked: null, goal: null, hover: null, hand: null };
  /**
   * Called after each picture; fresh: whether its numbers may be new.
   * @type {(fresh: boolean) => void}
   */
  onPainted = () => {};
  fresh = true;

  /**
   * @param {PairSpec} spec
   * @param {(error: Error) => void} fail
   */
  constructor(spec, fail) {
    this.spec = spec;
    /** @type {Record<string, number[]>} */
    this.partners = Object.fromEntries(spec.pairings.map(({ id, partners }) => [id, partners]));
    /** @type {PairState} */
    this.state = { ...spec.start_state, views: { pairs: true, field: true, trajectories: true } };
    this.look = makeLook("light", spec.colors);
    this.panel = new PairPanel(spec);
    this.player = new Player(this.state, fail);
    this.player.onPaint = () => this.#paint();
    listenToHand(this.panel, {
      held: this.held,
      partner: (mark) => this.partner(mark),
      onHold: () => this.player.requestPaint(),
      onJoin: (i, j) => this.join(i, j),
    });
  }

  /** @param {Partial<PairState>} changes */
  set(changes) {
    const { state, spec } = this;
    const { pairing = state.pairing, seed = state.seed } = changes;
    if (!this.partners[pairing]) throw new Error(`no pairing "${pairing}"`);
    const anew = seed !== state.seed;
    if (anew) {
      const given = spec.pairings[0].partners;
      const order = seed === spec.start_state.seed ? given : shuffled(given.length, seed);
      this.#pair("independent", order);
    }
    if (pairing !== state.pairing || anew) this.panel.turn();
    Object.assign(state, changes);
    this.redraw();
  }

  /**
   * Noise point i and data point j become the reader's own pair; those that they leave become one too.
   * @param {number} i
   * @param {number} j
   */
  join(i, j) {
    const before = this.partners[this.state.pairing];
    if (before[i] === j) return;
    this.#pair(OWN.id, joined(before, i, j));
    this.state.pairing = OWN.id;
    this.panel.turn();
    this.redraw();
  }

  /** @type {(mark: Mark) => Mark} */
  partner({ side, i }) {
    const partners = this.partners[this.state.pairing];
    return side === 0 ? { side: 1, i: partners[i] } : { side: 0, i: partners.indexOf(i) };
  }

  redraw() {
    this.fresh = true;
    this.panel.redraw();
    this.player.requestPaint();
  }

  /** @type {(pairing: string, partners: number[]) => void} */
  #pair(pairing, partners) {
    this.partners[pairing] = partners;
    delete this.flows[pairing];
  }

  /** @param {string} pairing */
  #flow(pairing) {
    return (this.flows[pairing] ??= pairFlow(this.spec, this.partners[pairing]));
  }

  /** Whether there is more to do. */
  #paint() {
    const { state, held, panel, look } = this;
    const flow = this.#flow(state.pairing);
    const { picked, hover } = held;
    const shown = picked ? null : hover && (hover.side === 0 ? hover.i : this.partner(hover).i);
    panel.paint(flow, state.share, state.views, look, held, shown);
    this.onPainted(this.fresh);
    // One of the others, which the table shows, for each picture.
    const missing = Object.keys(this.partners).find((pairing) => !this.flows[pairing]);
    if (missing) this.#flow(missing);
    this.fresh = missing !== undefined;
    return this.fresh || panel.turning !== null;
  }

  /** All there is to know: for tests. */
  report() {
    const { state, panel, flows } = this;
    const { states, one, ...flow } = this.#flow(state.pairing);
    const { x, y } = states[states.length - 1];
    /** @type {(side: 0 | 1) => Point[]} */
    const pixels = (side) => flow.partners.map((_, i) => panel.pixel({ side, i }));
    return {
      ...structuredClone({ ...state, held: this.held }),
      ...flow,
      to: Array.from(flow.to.x, (at, i) => [at, flow.to.y[i]]),
      t: state.share,
      end: Array.from(x, (end, i) => [end, y[i]]),
      one: Array.from(one.x, (end, i) => [end, one.y[i]]),
      costs: Object.fromEntries(Object.keys(flows).map((name) => [name, flows[name].cost])),
      pixels: [pixels(0), pixels(1)],
      theme: this.look.theme,
      ready: true,
      pending: this.fresh || panel.turning !== null || this.player.scheduled,
    };
  }
}

/**
 * @param {PairSpec} spec
 * @param {(error: Error) => void} fail
 * @param {FigureElement} el
 * @returns {Mounted}
 */
function build(spec, fail, el) {
  const figure = new PairFigure(spec, fail);
  const { panel, player, state, held } = figure;
  /** @param {Partial<PairState>} changes */
  const set = (changes) => figure.set(changes);
  const rows = [...spec.pairings, OWN];
  const controls = pairControls(rows, state, set, () => player.toggle());

  figure.onPainted = (fresh) => {
    controls.update(held);
    const at = held.hover ?? /** @type {Mark} */ ({ side: 0, i: 0 });
    const [left, top] = panel.pixel(at);
    Object.assign(panel.cursor.style, { left: `${left}px`, top: `${top}px` });
    const text = describeMark(at, figure.partner(at), held.picked);
    if (panel.cursor.getAttribute("aria-label") !== text) {
      panel.cursor.setAttribute("aria-label", text);
    }
    if (fresh) controls.show(figure.flows);
    Object.assign(el.dataset, { t: state.share.toFixed(3), pairing: state.pairing });
  };

  el.fmFigure = { state: () => figure.report(), set };
  const stage = make("div", { className: "fm-stage" }, panel.node);
  return {
    node: make(
      "div",
      { className: "fm fm-pairs" },
      make("div", { className: "fm-pairs-stage" }, stage, controls.time),
      make("div", { className: "fm-pairs-side" }, ...controls.nodes),
    ),
    resize: () => {
      panel.fit();
      player.requestPaint();
    },
    show: (visible) => player.show(visible),
    theme: (name) => {
      figure.look = makeLook(name, spec.colors);
      controls.theme(figure.look);
      figure.redraw();
    },
    stop: () => player.stop(),
  };
}
