// The living figure of digits: render({ model, el }). On the left they are on their way from noise,
// at a time; on the right is where the chosen solver takes the same noises in so many steps.

import { mount } from "./host/mount.js";
import { Sprite } from "./layers/sprite.js";
import { make, range, select, setText, timeControls } from "./ui/controls.js";
import { Player } from "./ui/player.js";
import { number, plural } from "./ui/words.js";

const SCALE = 6; // pixels of the canvas for one of a digit; the page makes it fit
const GAP = 1; // between two digits, in pixels of a digit

/** @param {Host} host */
export function render({ model, el }) {
  return mount({ model, el }, (spec, fail) => build(spec, fail, el));
}

export default { render };

/**
 * @param {DigitSpec} spec
 * @param {(error: Error) => void} fail
 * @param {FigureElement} el
 * @returns {Mounted}
 */
function build(spec, fail, el) {
  const sprite = new Sprite(spec);
  const state = { ...spec.start_state };
  const player = new Player(state, fail);
  /** @param {Partial<DigitState>} changes */
  const set = (changes) => {
    Object.assign(state, changes);
    player.requestPaint();
  };

  /** @param {number} share */
  const moment = (share) => `t = ${number(share)}`;
  const time = timeControls(state, moment, set, () => player.toggle());
  /** @type {[string, string][]} */
  const options = spec.solvers.map(({ id, label }) => [id, label]);
  const solver = select("Solver", options, state.solver, (id) => set({ solver: id }));
  const steps = range(
    "Steps",
    { min: 0, max: spec.steps.length - 1, step: 1 },
    spec.steps.indexOf(state.steps),
    (k) => plural(spec.steps[k], "step"),
    (k) => set({ steps: spec.steps[k] }),
  );
  const left = makeSide(...time.nodes);
  const right = makeSide(solver, steps.node);
  const readout = make("p", { className: "fm-readout", role: "status", "aria-live": "polite" });

  let loaded = false;
  player.onPaint = () => {
    if (!loaded) return;
    const { nfe, rms, ...picture } = sprite.arrived(state.solver, state.steps);
    const { label } = spec.solvers.find(({ id }) => id === state.solver) ?? { label: "" };
    const cost = `${label}, ${plural(state.steps, "step")}: NFE\u00a0${nfe}`;
    left.show(sprite, sprite.atShare(state.share), `On the way, t = ${number(state.share)}`);
    right.show(sprite, picture, cost);
    time.update();
    setText(
      readout,
      `${label} with ${plural(state.steps, "step")} asks the network ${plural(nfe, "time")} ` +
        `(NFE). Its digits are off the accurate ones by ${number(rms, 3)} a pixel (rms; from ` +
        `paper to ink is 2). The way on the left is accurate: ${spec.reference.label}, ` +
        `NFE ${spec.reference.nfe}.`,
    );
    Object.assign(el.dataset, { solver: state.solver, steps: state.steps, nfe });
  };
  sprite.ready.then(
    () => {
      loaded = true;
      player.requestPaint();
    },
    () => fail(new Error("its pictures are damaged")),
  );

  el.fmFigure = {
    state: () => ({
      ...state,
      ...sprite.arrived(state.solver, state.steps),
      ready: loaded,
      pending: player.scheduled,
    }),
    set,
  };
  return {
    node: make(
      "div",
      { className: "fm", role: "group", "aria-label": spec.alt },
      make("div", { className: "fm-sides" }, left.node, right.node),
      readout,
    ),
    resize: () => player.requestPaint(),
    show: (visible) => player.show(visible),
    theme: () => {}, // paper and ink are the same in the light and in the dark
    stop: () => player.stop(),
  };
}

/**
 * A grid of digits with a title, above the controls it follows.
 * @param {Node[]} controls
 */
function makeSide(...controls) {
  const title = make("p", { className: "fm-side-title" });
  const canvas = make("canvas", { "aria-hidden": "true" });
  const row = make("div", { className: "fm-row" }, ...controls);
  return {
    node: make("div", { className: "fm-side" }, title, canvas, row),
    /** @type {(sprite: Sprite, picture: import("./layers/sprite.js").DigitPicture, text: string) => void} */
    show(sprite, picture, text) {
      setText(title, text);
      drawGrid(canvas, sprite, picture);
    },
  };
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Sprite} sprite
 * @param {import("./layers/sprite.js").DigitPicture} picture
 */
function drawGrid(canvas, sprite, picture) {
  const columns = Math.ceil(Math.sqrt(sprite.count));
  const rows = Math.ceil(sprite.count / columns);
  const pitchX = SCALE * (sprite.width + GAP);
  const pitchY = SCALE * (sprite.height + GAP);
  canvas.width = columns * pitchX - SCALE * GAP;
  canvas.height = rows * pitchY - SCALE * GAP;
  const ctx = /** @type {Context} */ (canvas.getContext("2d"));
  ctx.imageSmoothingEnabled = false;
  for (let i = 0; i < sprite.count; i++) {
    const [column, row] = [i % columns, Math.floor(i / columns)];
    sprite.draw(ctx, picture, i, column * pitchX, row * pitchY, SCALE);
  }
}
