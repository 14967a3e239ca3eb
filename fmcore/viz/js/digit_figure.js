// The living figure of digits: render({ model, el }). On the left they are on their way from noise,
// at a time; on the right is where the chosen solver takes the same noises in so many steps.
//
// At first the pictures are those of a sprite. When the reader asks for it, the network itself takes
// its place, and there is more to choose; whatever goes wrong with it, the sprite is there again.

import { mount } from "./host/mount.js";
import { loadNetwork } from "./host/network.js";
import { DigitGrid } from "./layers/digit_grid.js";
import { Sprite } from "./layers/sprite.js";
import { NetworkDigits } from "./net/digits.js";
import { make, range, select, setText, timeControls } from "./ui/controls.js";
import { mounted } from "./ui/mounted.js";
import { networkControls, startControls } from "./ui/network_controls.js";
import { noiseHand } from "./ui/noise_hand.js";
import { Player } from "./ui/player.js";
import { number, plural } from "./ui/words.js";

const MOST_STEPS = 40; // of a network that runs here

/** @param {Host} host */
export function render({ model, el }) {
  return mount({ model, el }, (spec, fail) => build(spec, fail, { model, el }));
}

export default { render };

/**
 * @param {DigitSpec} spec
 * @param {(error: Error) => void} fail
 * @param {Host} host
 * @returns {Mounted}
 */
function build(spec, fail, { model, el }) {
  const sprite = new Sprite(spec);
  const atFirst = { label: null, guidance: 1, seed: 0, view: /** @type {const} */ ("end") };
  /** @type {DigitState & import("./ui/network_controls.js").NetworkState} */
  const state = { ...spec.start_state, ...atFirst };
  const player = new Player(state, fail);
  /** @type {NetworkDigits | null} */
  let network = null;

  /** @param {Partial<typeof state>} changes */
  const set = (changes) => {
    Object.assign(state, changes);
    if (network) {
      network.share = state.share;
      if ("seed" in changes) network.draw(state.seed);
      const run = ["solver", "steps", "label", "guidance", "seed"].some((name) => name in changes);
      if (run) network.follow(choice());
    }
    player.requestPaint();
  };
  const choice = () => {
    const index = spec.solvers.findIndex(({ id }) => id === state.solver);
    const tableau = /** @type {LiveSpec} */ (spec.live).tableaus[index];
    return { tableau, steps: state.steps, label: state.label, guidance: state.guidance };
  };

  /** @param {number} share */
  const moment = (share) => `t = ${number(share)}`;
  const time = timeControls(state, moment, (changes) => set(changes), () => player.toggle()); // prettier-ignore
  /** @type {[string, string][]} */
  const options = spec.solvers.map(({ id, label }) => [id, label]);
  const solver = select("Solver", options, state.solver, (id) => set({ solver: id }));
  const few = range(
    "Steps",
    { min: 0, max: spec.steps.length - 1, step: 1 },
    spec.steps.indexOf(state.steps),
    (k) => plural(spec.steps[k], "step"),
    (k) => set({ steps: spec.steps[k] }),
  );
  const [left, right] = [new DigitGrid(spec.shape), new DigitGrid(spec.shape)];
  const [leftTitle, rightTitle] = [0, 1].map(() => make("p", { className: "fm-side-title" }));
  const readout = make("p", { className: "fm-readout", role: "status", "aria-live": "polite" });
  right.canvas.setAttribute("aria-hidden", "true");

  let loaded = false;
  const named = () => spec.solvers.find(({ id }) => id === state.solver)?.label ?? "";
  const paintSprite = () => {
    const { nfe, rms, ...picture } = sprite.arrived(state.solver, state.steps);
    const cost = `${named()}, ${plural(state.steps, "step")}: NFE\u00a0${nfe}`;
    const way = sprite.atShare(state.share);
    setText(leftTitle, `On the path, t = ${number(state.share)}`);
    setText(rightTitle, cost);
    left.draw((ctx, ...place) => sprite.draw(ctx, way, ...place));
    right.draw((ctx, ...place) => sprite.draw(ctx, picture, ...place));
    setText(
      readout,
      `${named()} with ${plural(state.steps, "step")} evaluates the network ` +
        `${plural(nfe, "time")} (NFE). Its digits differ from accurate ones by ${number(rms, 3)} ` +
        `a pixel (rms; from paper to ink is 2). The path on the left is accurate: ` +
        `${spec.reference.label}, ` +
        `NFE ${spec.reference.nfe}.`,
    );
    Object.assign(el.dataset, { solver: state.solver, steps: state.steps, nfe });
  };

  /** @param {NetworkDigits} digits */
  const paintNetwork = (digits) => {
    const { share, view } = state;
    setText(leftTitle, `On the path, t = ${number(share)}`);
    const guess = `E[x\u2081 | x\u209c]: its guess at t = ${number(share)}`;
    setText(rightTitle, view === "end" ? `${named()}, ${plural(state.steps, "step")}` : guess);
    const { shown, before, noises, seed, brushes } = digits;
    /** @type {(i: number) => any[]} */
    const known = (i) => [shown[i], shown[i]?.moments.length, before[i], seed, brushes];
    left.draw(
      (ctx, i, ...place) => {
        const now = digits.pixels(shown[i], "way", share) ?? noises[i];
        left.numbers(now)(ctx, i, ...place);
      },
      (i) => [...known(i), share],
    );
    right.draw(
      (ctx, i, ...place) => {
        const now = digits.pixels(shown[i], view, share);
        right.numbers(now, digits.pixels(before[i], view, share))(ctx, i, ...place);
      },
      (i) => [...known(i), view, view === "end" || share],
    );
    setText(readout, words(digits));
    Object.assign(el.dataset, { solver: state.solver, steps: state.steps, nfe: digits.nfe });
  };

  /** @param {NetworkDigits} digits */
  const words = (digits) => {
    const { count, waiting, before, nfe, milliseconds } = digits;
    if (waiting.length) return `The network is at work: ${count - waiting.length} of ${count}.`;
    const verdict = digits.judgement();
    const twice = state.label !== null && ![0, 1].includes(state.guidance);
    const asked = verdict?.asked ?? null;
    return [
      `NFE ${nfe} a digit${twice ? " (two of the network each)" : ""}, `,
      `${number(milliseconds, 1)} ms an evaluation in this browser. `,
      verdict ? `The judge reads ${verdict.readable} of ${count} as digits` : "",
      asked === null ? "" : `, ${asked} of them as a ${state.label}`,
      verdict ? ". " : "",
      before.some(Boolean)
        ? "What is new is blue, what is gone is orange."
        : "Paint on the left: the noise there is drawn anew.",
    ].join("");
  };

  player.onPaint = () => {
    if (!loaded) return;
    time.update();
    if (network) paintNetwork(network);
    else paintSprite();
  };
  sprite.ready.then(
    () => {
      loaded = true;
      player.requestPaint();
    },
    () => fail(new Error("its pictures are damaged")),
  );

  const hand = noiseHand(
    left,
    ({ i, x, y }) => {
      if (!network) return;
      set({ share: 0, playing: false }); // where the noise is
      network.repaint(i, x, y);
    },
    () => player.requestPaint(),
  );
  const start = spec.live && startControls(spec.live.bytes, () => void begin(spec.live));
  const sides = [
    makeSide(leftTitle, left.canvas, ...time.nodes),
    makeSide(rightTitle, right.canvas, solver, few.node),
  ];
  const node = make(
    "div",
    { className: "fm", role: "group", "aria-label": spec.alt },
    make("div", { className: "fm-sides" }, ...sides),
    ...(start ? [start.node] : []),
    readout,
  );

  /** @type {Node[]} what has taken the place of something while the network runs, in pairs */
  let replaced = [];
  /** @type {(old: Element, now: Element) => void} */
  const replace = (old, now) => {
    old.replaceWith(now);
    replaced.push(now, old);
  };

  /** @param {LiveSpec | null} live */
  async function begin(live) {
    if (!live || !start) return;
    start.loading(0);
    try {
      const buffer = await loadNetwork(model, (received) => start.loading(received));
      network = new NetworkDigits(spec, buffer, () => player.requestPaint(), giveUp);
      const any = range(
        "Steps",
        { min: 1, max: MOST_STEPS, step: 1 },
        state.steps,
        (steps) => plural(steps, "step"),
        (steps) => set({ steps }),
      );
      replace(start.node, networkControls(state, live.classes, set));
      replace(few.node, any.node);
      hand(true);
      set({ seed: 0 });
    } catch (error) {
      giveUp(/** @type {Error} */ (error));
    }
  }

  /** Back to the sprite, with a sentence. @param {Error} error */
  function giveUp(error) {
    network?.stop();
    network = null;
    for (; replaced.length; replaced = replaced.slice(0, -2)) {
      const [now, old] = /** @type {Element[]} */ (replaced.slice(-2));
      now.replaceWith(old);
    }
    hand(false);
    const nearest = spec.steps.reduce((a, b) =>
      Math.abs(b - state.steps) < Math.abs(a - state.steps) ? b : a,
    );
    Object.assign(state, atFirst, { steps: nearest });
    few.set(spec.steps.indexOf(nearest));
    start?.failed(`The network does not run here: ${error.message}`);
    player.requestPaint();
  }

  el.fmFigure = {
    state: () => ({
      ...state,
      ...(network
        ? { nfe: network.nfe, milliseconds: network.milliseconds, verdict: network.judgement() }
        : sprite.arrived(state.solver, state.steps)),
      live: network !== null,
      waiting: network?.waiting.length ?? 0,
      ready: loaded,
      pending: player.scheduled,
    }),
    set,
  };
  return mounted(node, player, () => network?.stop());
}

/**
 * A grid of digits with a title, above the controls it follows.
 * @param {HTMLElement} title
 * @param {HTMLCanvasElement} canvas
 * @param {Node[]} controls
 */
function makeSide(title, canvas, ...controls) {
  const row = make("div", { className: "fm-row" }, ...controls);
  return make("div", { className: "fm-side" }, title, canvas, row);
}
