// The figure for digits: render({ model, el }). On the left they are on their way from noise, at a
// time; on the right is where the chosen solver takes the same noises in so many steps.

import { make, playButton, range, select } from "./ui/controls.js";
import { mount } from "./host/mount.js";
import { Player } from "./ui/player.js";
import { Sprite } from "./layers/sprite.js";
import { number, plural } from "./ui/words.js";

const SCALE = 6; // pixels of the canvas for one of a digit; the page makes it fit
const GAP = 1; // between two digits, in pixels of a digit

export function render({ model, el }) {
  return mount({ model, el }, (spec, fail) => build(spec, fail, el));
}

export default { render };

function build(spec, fail, el) {
  const sprite = new Sprite(spec);
  const state = { ...spec.start_state };
  const columns = Math.ceil(Math.sqrt(sprite.count));
  const rows = Math.ceil(sprite.count / columns);
  const grids = [0, 1].map(() => make("canvas", { "aria-hidden": "true" }));
  const titles = [0, 1].map(() => make("p", { className: "fm-side-title" }));
  const readout = make("p", { className: "fm-readout", role: "status", "aria-live": "polite" });
  const player = new Player(state, fail, paint);
  let loaded = false;

  function show(canvas, picture) {
    const [pitchX, pitchY] = [sprite.width, sprite.height].map((pixels) => SCALE * (pixels + GAP));
    Object.assign(canvas, { width: columns * pitchX - SCALE * GAP, height: rows * pitchY - SCALE * GAP });
    const ctx = canvas.getContext("2d");
    ctx.imageSmoothingEnabled = false;
    for (let i = 0; i < sprite.count; i++) {
      sprite.draw(ctx, picture, i, (i % columns) * pitchX, Math.floor(i / columns) * pitchY, SCALE);
    }
  }

  function paint() {
    if (!loaded) return;
    const { label } = spec.solvers.find(({ id }) => id === state.solver);
    const arrived = sprite.arrived(state.solver, state.steps);
    show(grids[0], sprite.onTheWay(state.share));
    show(grids[1], arrived);
    time.set(state.share);
    play.set(state.playing);
    const words = [
      `On the way, t = ${number(state.share)}`,
      `${label}, ${plural(state.steps, "step")}: NFE\u00a0${arrived.nfe}`,
    ];
    words.forEach((text, i) => titles[i].textContent !== text && (titles[i].textContent = text));
    const { reference } = spec;
    const result =
      `${label} with ${plural(state.steps, "step")} asks the network ${plural(arrived.nfe, "time")} ` +
      `(NFE). Its digits are off the accurate ones by ${number(arrived.rms, 3)} a pixel (rms; from ` +
      `paper to ink is 2). The way on the left is accurate: ${reference.label}, NFE ${reference.nfe}.`;
    if (readout.textContent !== result) readout.textContent = result;
    Object.assign(el.dataset, { solver: state.solver, steps: state.steps, nfe: arrived.nfe });
  }

  const play = playButton(state.playing, () => player.toggle());
  const time = range("Time", { min: 0, max: 1, step: 0.01 }, state.share, (t) => `t = ${number(t)}`, (share) =>
    player.set({ share, playing: false }),
  );
  const options = spec.solvers.map(({ id, label }) => [id, label]);
  const solver = select("Solver", options, state.solver, (id) => player.set({ solver: id }));
  const last = spec.steps.length - 1;
  const steps = range(
    "Steps", { min: 0, max: last, step: 1 }, spec.steps.indexOf(state.steps),
    (k) => plural(spec.steps[k], "step"), (k) => player.set({ steps: spec.steps[k] }),
  );
  sprite.ready.then(() => {
    loaded = true;
    player.ask();
  }, () => fail(new Error("its pictures are damaged")));
  el.fmFigure = {
    state: () => ({
      ...state,
      ...sprite.arrived(state.solver, state.steps),
      ready: loaded,
      pending: player.due,
    }),
    set: (change) => player.set(change),
  };
  const side = (i, ...controls) =>
    make("div", { className: "fm-side" }, titles[i], grids[i], make("div", { className: "fm-row" }, ...controls));
  return {
    node: make(
      "div",
      { className: "fm", role: "group", "aria-label": spec.alt },
      make("div", { className: "fm-sides" }, side(0, play, time.node), side(1, solver, steps.node)),
      readout,
    ),
    resize: () => player.ask(),
    show: (visible) => player.show(visible),
    theme() {},
    stop: () => player.stop(),
  };
}
