// What the reader of the playground can choose, and what the playground says.

import { stateOf } from "../train/words.js";
import { button, check, make, range, select, setText, timeControls } from "./controls.js";
import { Live } from "./live.js";
import { capitalized, number, plural } from "./words.js";

/** @typedef {import("../train/tab.js").PlaySpec} PlaySpec */
/** @typedef {import("../train/tab.js").PlayState} PlayState */
/** @typedef {import("../train/tab.js").Training} Training */

/**
 * What the buttons do.
 * @typedef {object} Deeds
 * @property {() => void} train  or pause
 * @property {() => void} again
 * @property {() => void} back
 * @property {() => void} draw
 * @property {() => void} download
 * @property {() => void} play
 */

/** @type {Record<string, string>} */
const VIEW_NAMES = { error: "Error |v − u|" };

/**
 * @param {PlaySpec} spec
 * @param {PlayState} state  as it is now, whenever that is
 * @param {(changes: Partial<PlayState>) => void} set
 * @param {Deeds} deeds
 */
export function playControls(spec, state, set, deeds) {
  const time = timeControls(state, (t) => `t = ${number(t)}`, set, deeds.play);
  const { shapes, paths, pairings, widths, rates, batches, averages, solvers, most_steps } = spec;
  /** @type {(list: { id: string, label?: string }[]) => [string, string][]} */
  const named = (list) => list.map(({ id, label }) => [id, label ?? id]);
  /** @type {(list: number[]) => [string, string][]} */
  const numbers = (list) => list.map((one) => [String(one), one ? String(one) : "none"]);
  const shape = select("Shape", [...named(shapes), ["drawn", "Your drawing"]], state.shape, (id) => set({ shape: id })); // prettier-ignore
  /** @type {HTMLOptionElement} */
  const drawn = /** @type {any} */ (shape.querySelector("option:last-of-type"));
  /** @type {Record<string, HTMLElement>} */
  const choices = {
    shape,
    path: select("Path", named(paths), state.path, (path) => set({ path })),
    pairing: select("Pairing", named(pairings), state.pairing, (id) => set({ pairing: /** @type {any} */ (id) })), // prettier-ignore
    hidden: select("Width", numbers(widths), String(state.hidden), (n) => set({ hidden: Number(n) })), // prettier-ignore
    batch: select("Batch", numbers(batches), String(state.batch), (n) => set({ batch: Number(n) })),
    average: select("Averaging", numbers(averages), String(state.average), (n) => set({ average: Number(n) })), // prettier-ignore
    lr: select("Learning rate", numbers(rates), String(state.lr), (n) => set({ lr: Number(n) })),
    solver: select("Solver", named(solvers), state.solver, (id) => set({ solver: id })),
  };
  const draw = button("Draw a shape", deeds.draw);
  const seed = button("New seed", () => set({ seed: state.seed + 1 }));
  const steps = range("Steps", { min: 1, max: most_steps, step: 1 }, state.steps, (n) => plural(n, "step"), (n) => set({ steps: n })); // prettier-ignore
  const views = Object.keys(state.views).map((name) => ({
    name,
    node: check(VIEW_NAMES[name] ?? capitalized(name), state.views[name], (on) =>
      set({ views: { ...state.views, [name]: on } }),
    ),
  }));
  const train = button("Train", deeds.train);
  const again = button("Start again", deeds.again);
  const back = button("", deeds.back);
  const download = button("Download", deeds.download);
  const readout = make("div", { className: "fm-readout" });
  const trouble = make("p", { className: "fm-trouble", role: "alert", hidden: true });
  const live = new Live();
  const code = make("pre", { tabIndex: 0, role: "region", "aria-label": "Python" });
  const link = make("input", { type: "text", readOnly: true, "aria-label": "Link to these settings" }); // prettier-ignore
  link.addEventListener("focus", () => link.select());
  const copied = make("span", { className: "fm-tip", role: "status" });
  const copy = button("Copy link", () => {
    link.select();
    setText(copied, "Press Ctrl-C."); // unless the browser does it
    void navigator.clipboard?.writeText(link.value).then(
      () => setText(copied, "Copied."),
      () => {},
    );
  });
  const sharing = make("div", { className: "fm-row fm-link", hidden: true }, link, copy, copied);
  const { solver, ...settings } = choices;
  /** @type {(name: string, value: string) => void} */
  const choose = (name, value) => {
    const input = /** @type {HTMLSelectElement} */ (choices[name].querySelector("select"));
    if (input.value !== value) input.value = value;
  };
  return {
    below: [
      make("div", { className: "fm-row fm-time" }, ...time.nodes, draw),
      make("div", { className: "fm-row" }, make("div", { className: "fm-choice" }, solver, steps.node)), // prettier-ignore
      make("div", { className: "fm-group" }, ...views.map(({ node }) => node)),
    ],
    deeds: make("div", { className: "fm-row fm-train" }, train, again, download),
    settings: [
      make("div", { className: "fm-settings" }, ...Object.values(settings), seed),
      make("details", {}, make("summary", {}, "The same in Python"), code),
      sharing,
    ],
    words: [trouble, make("div", { className: "fm-row" }, back), readout, live.node],
    /** Shows what changes by itself, or with another control. @param {boolean} drawing */
    update(drawing) {
      time.update();
      for (const name of Object.keys(choices)) choose(name, String(state[/** @type {keyof PlayState} */ (name)])); // prettier-ignore
      steps.set(state.steps);
      for (const { name, node } of views) {
        const input = /** @type {HTMLInputElement} */ (node.querySelector("input"));
        input.checked = state.views[name];
      }
      drawn.disabled = !state.points.length;
      setText(draw, drawing ? "Done" : "Draw a shape");
      draw.setAttribute("aria-pressed", String(drawing));
    },
    /** How far it is. @param {Training} training */
    show(training) {
      const { last, going } = training;
      const lost = last && last.diverged !== null;
      setText(train, going ? "Pause" : "Train");
      train.disabled = !last || last.done || Boolean(lost);
      train.setAttribute("aria-pressed", String(going));
      download.disabled = !last || !last.step;
      back.hidden = !lost;
      if (last && lost) setText(back, `Back to step ${last.diverged}, at a quarter of the rate`);
      const words = stateOf(last, state, spec);
      readout.replaceChildren(...words.map((line) => make("div", {}, ...line)));
      live.say(going ? "Training." : (readout.textContent ?? ""));
    },
    /** @param {string} text */
    say(text) {
      trouble.hidden = !text;
      setText(trouble, text);
    },
    /** @param {string} address  of these settings, or none */
    link(address) {
      sharing.hidden = !address;
      if (link.value === address) return;
      link.value = address;
      setText(copied, "");
    },
    /** @param {string} python */
    python: (python) => setText(code, python),
  };
}
