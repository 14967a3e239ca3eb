// What the reader of the hand's figure can do: to the sheet, and with the network to what is on it.

import { button, make, range, select } from "./controls.js";
import { number } from "./words.js";

/** @typedef {import("../net/hand.js").What} What */

/**
 * @typedef {object} HandState
 * @property {What} what
 * @property {number} t  from which a drawing is tidied
 * @property {number | null} label  of what it is finished or tidied as
 * @property {string} goal  the digit that it is morphed into
 * @property {number} seed
 * @property {number} share  the time that is shown
 * @property {boolean} playing  never
 */

/** @type {[What, string][]} */
const DEEDS = [
  ["finish", "Finish it"],
  ["tidy", "Tidy it up"],
  ["trip", "To noise and back"],
  ["morph", "Morph it"],
];

/**
 * @param {string[]} names  of the test digits
 * @param {(name: string) => void} onDigit
 * @param {[text: string, onClick: () => void][]} deeds
 */
export function sheetControls(names, onDigit, deeds) {
  /** @type {[string, string][]} */
  const options = [["", "choose"], ...names.map((name) => /** @type {[string, string]} */ ([name, name]))]; // prettier-ignore
  const choice = select("Test digit", options, "", (name) => name && onDigit(name));
  const input = /** @type {HTMLSelectElement} */ (choice.querySelector("select"));
  return {
    nodes: [choice, ...deeds.map(([text, onClick]) => button(text, onClick))],
    /** What is on the sheet is no test digit any more. */
    changed: () => (input.value = ""),
  };
}

/**
 * @param {string[]} names
 * @param {number | null} classes
 * @param {HandState} state  as it is now, whenever that is
 * @param {(changes: Partial<HandState>) => void} set
 */
export function handControls(names, classes, state, set) {
  const buttons = DEEDS.map(([what, text]) => ({ what, node: button(text, () => set({ what })) }));
  /** @type {[string, string][]} */
  const labels = [["", "any digit"]];
  for (let label = 0; label < (classes ?? 0); label++) labels.push([`${label}`, `a ${label}`]);
  const which = select("As", labels, "", (text) => set({ label: text ? Number(text) : null }));
  const goal = select(
    "Into",
    names.map((name) => [name, name]),
    state.goal,
    (name) => set({ goal: name }),
  );
  /** @param {number} t */
  const moment = (t) => `t = ${number(t)}`;
  const from = range("Start", { min: 0.3, max: 0.8, step: 0.05 }, state.t, moment, (t) => set({ t })); // prettier-ignore
  const time = range("Time", { min: 0, max: 1, step: 0.01 }, 1, moment, (share) => set({ share }));
  const again = button("New noise", () => set({ seed: state.seed + 1 }));
  return {
    deeds: make("div", { className: "fm-deeds" }, ...buttons.map(({ node }) => node)),
    settings: [goal, which, again, from.node, time.node],
    update() {
      const { what } = state;
      for (const one of buttons) one.node.setAttribute("aria-pressed", String(one.what === what));
      which.hidden = !classes || (what !== "finish" && what !== "tidy");
      goal.hidden = what !== "morph";
      from.node.hidden = what !== "tidy";
      time.node.hidden = what !== "finish";
      time.set(state.share);
    },
  };
}
