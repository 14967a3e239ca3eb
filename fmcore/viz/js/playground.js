// The playground: render({ model, el }). The reader chooses or draws a shape, and a small network learns
// in a worker of this page to carry noise to it; the page's own thread only draws what the worker says.

import { mount } from "./host/mount.js";
import { makeLook } from "./layers/look.js";
import { LossChart } from "./layers/loss_chart.js";
import { PlayPanel } from "./layers/play_panel.js";
import { inPython, weightsFile } from "./train/export.js";
import { BEGINS, byId, shapeOf, Training } from "./train/tab.js";
import { followAddress, readHash, VIEWS, writeHash } from "./ui/address.js";
import { make } from "./ui/controls.js";
import { playControls } from "./ui/play_controls.js";
import { Player } from "./ui/player.js";
import { listenToShape } from "./ui/shape_hand.js";

/** @typedef {import("./train/tab.js").PlaySpec} PlaySpec */
/** @typedef {import("./train/tab.js").PlayState} PlayState */

/** @param {Host} host */
export function render({ model, el }) {
  return mount({ model, el }, (spec, fail) => build(spec, fail, el));
}

export default { render };

/**
 * @param {PlaySpec} spec
 * @param {(error: Error) => void} fail
 * @param {FigureElement} el
 * @returns {Mounted}
 */
function build(spec, fail, el) {
  const views = Object.fromEntries(VIEWS.map((name) => [name, name !== "error"]));
  /** @type {PlayState} what the figure shows without an address */
  const own = { ...spec.start_state, points: [], views };
  /** @type {PlayState} */
  const state = structuredClone(own);
  const player = new Player(state, fail);
  const panel = new PlayPanel(spec);
  let look = makeLook("light", spec.colors);
  let [wordsStale, flowStale] = [true, false]; // what is to be said, and computed, anew
  /** @type {Point[] | null} what is being drawn */
  let drawing = null;
  let address = { page: "", writable: false };
  /** @type {string | null} the end of the address that stands there */
  let standing = null;

  const training = new Training(
    spec,
    () => {
      [wordsStale, flowStale] = [true, true];
      player.requestPaint();
    },
    fail,
  );

  const begin = () => {
    training.go(false);
    flowStale = false;
    panel.show(shapeOf(spec, state), byId(spec.paths, state.path).path);
    training.begin(state);
    wordsStale = true;
    player.requestPaint();
  };
  const share = () => {
    const hash = writeHash(state, own, spec);
    controls.link(address.page && !address.writable ? address.page.split("#")[0] + (hash || "#playground") : ""); // prettier-ignore
    if (hash !== standing && address.writable) addressed.write(hash);
    standing = hash;
    controls.python(inPython(spec, state));
  };
  /** @param {Partial<PlayState>} changes */
  const set = (changes) => {
    const names = /** @type {(keyof PlayState)[]} */ (Object.keys(changes));
    const changed = names.filter((name) => JSON.stringify(changes[name]) !== JSON.stringify(state[name])); // prettier-ignore
    Object.assign(state, changes);
    controls.say("");
    if (changed.some((name) => BEGINS.includes(name))) {
      if (drawing) hand.end();
      drawing = null;
      const { going } = training;
      begin();
      if (going) training.go(true);
    } else if (changed.includes("solver") || changed.includes("steps")) {
      training.look(state);
      flowStale = true;
    }
    if (changed.some((name) => name !== "share" && name !== "playing")) share();
    panel.changed = true;
    player.requestPaint();
  };

  /** @param {boolean} going */
  const go = (going) => {
    training.go(going);
    wordsStale = true;
    player.requestPaint();
  };
  /** What was drawn becomes the shape, if it is one. @param {number[] | null} points */
  const finish = (points) => {
    drawing = null;
    panel.stale = true;
    if (points) set({ shape: "drawn", points });
    else controls.say(`A shape has ${spec.pen.fewest} points at least, and this one has fewer: nothing has changed.`); // prettier-ignore
    wordsStale = true;
    player.requestPaint();
  };
  const hand = listenToShape(panel, spec, (points) => {
    if (!drawing) return;
    drawing = points;
    player.requestPaint();
  });
  const controls = playControls(spec, state, set, {
    train: () => {
      if (drawing) finish(hand.end());
      go(!training.going);
    },
    again: () => {
      controls.say("");
      begin();
      go(true);
    },
    back: () => training.back(),
    draw: () => {
      if (drawing) return finish(hand.end());
      drawing = [];
      hand.begin();
      controls.say("");
      panel.stale = true;
      return go(false);
    },
    download: () => {
      const { last } = training;
      if (!last) return;
      const file = new Blob([weightsFile(spec, state, last.weights, last.step)]);
      const href = URL.createObjectURL(file);
      make("a", { href, download: "playground.safetensors" }).click();
      setTimeout(() => URL.revokeObjectURL(href), 1000);
    },
    play: () => player.toggle(),
  });
  const chartNode = make("div", { className: "fm-chart" });
  const chart = new LossChart(chartNode);

  player.onPaint = () => {
    if (flowStale && !panel.next && training.last) {
      panel.flow(training.take(), state);
      flowStale = false;
    }
    const known = training.last ? training.last.floor !== null : false;
    panel.paint(training.field, state, look, {
      known,
      drawing,
      error: look.tint(spec.colors.error),
    });
    controls.update(drawing !== null);
    if (wordsStale) {
      controls.show(training);
      chart.draw(training.reports, spec.training.steps, look);
    }
    wordsStale = false;
    el.dataset.step = String(training.last?.step ?? "");
    return panel.next !== null || (flowStale && Boolean(training.last));
  };

  const sleep = () => training.show(player.visible && !document.hidden);
  document.addEventListener("visibilitychange", sleep);
  const addressed = followAddress((page, writable) => {
    address = { page, writable };
    const { changes, damaged } = readHash(page, spec);
    const wanted = { ...own, share: state.share, playing: state.playing, ...changes };
    standing = writeHash(wanted, own, spec);
    set(wanted);
    if (damaged.length) {
      controls.say(`The address cannot be read here: ${damaged.join(", ")}. The figure's own settings stand in for that.`); // prettier-ignore
    }
    share();
  });
  if (!training.run) begin(); // unless the address has
  share();

  el.fmFigure = {
    state: () => ({
      ...structuredClone(state),
      training: training.going,
      drawing: drawing?.length ?? null,
      report: training.last && { ...training.last, weights: undefined },
      reports: training.reports.length,
      theme: look.theme,
      ready: panel.run !== null,
      pending: player.scheduled || panel.next !== null,
      pixels: [panel.camera.x(0), panel.camera.y(0), panel.camera.scale],
    }),
    set,
  };
  const stage = make("div", { className: "fm-stage" }, panel.node);
  const side = [controls.deeds, chartNode, ...controls.words, ...controls.settings];
  return {
    node: make(
      "div",
      { className: "fm fm-pairs fm-playground" },
      make("div", { className: "fm-pairs-stage" }, stage, ...controls.below),
      make("div", { className: "fm-pairs-side" }, ...side),
    ),
    resize: () => {
      panel.fit();
      wordsStale = true;
      player.requestPaint();
    },
    show: (visible) => {
      player.show(visible);
      sleep();
    },
    theme: (name) => {
      look = makeLook(name, spec.colors);
      [panel.stale, wordsStale] = [true, true];
      player.requestPaint();
    },
    stop: () => {
      player.stop();
      training.stop();
      addressed.stop();
      document.removeEventListener("visibilitychange", sleep);
    },
  };
}
