// What a reader sets of a network that runs here, and before that: the button that starts it.

import { button, make, range, select, setText } from "./controls.js";
import { number } from "./words.js";

/**
 * @param {number} bytes
 * @param {() => void} onStart
 */
export function startControls(bytes, onStart) {
  const size = `${number(bytes / 1e6, 1)} MB`;
  const start = button(`Run the network here (${size})`, () => {
    start.disabled = true;
    onStart();
  });
  const progress = make("progress", { max: bytes, hidden: true, "aria-label": "Loading" });
  const note = make("span", { className: "fm-tip", role: "status" });
  return {
    node: make("div", { className: "fm-row fm-network" }, start, progress, note),
    /** @param {number} received */
    loading(received) {
      progress.hidden = false;
      progress.value = received;
    },
    /** @param {string} text */
    failed(text) {
      progress.hidden = true;
      start.disabled = false;
      start.textContent = `Try again (${size})`;
      setText(note, `${text}. What you see was computed in advance.`);
    },
  };
}

/**
 * @typedef {object} NetworkState
 * @property {number | null} label
 * @property {number} guidance
 * @property {number} seed
 * @property {import("../net/digits.js").View} view
 */

/**
 * @param {NetworkState} state
 * @param {number | null} classes
 * @param {(changes: Partial<NetworkState>) => void} set
 */
export function networkControls(state, classes, set) {
  const strength = range(
    "Guidance",
    { min: 0, max: 5, step: 0.25 },
    state.guidance,
    (scale) => `guidance ${number(scale)}`,
    (guidance) => set({ guidance }),
  );
  /** @type {[string, string][]} */
  const options = [["", "any"]];
  for (let label = 0; label < (classes ?? 0); label++) options.push([`${label}`, `${label}`]);
  const which = select("Digit", options, "", (text) => {
    strength.node.hidden = text === "";
    set({ label: text === "" ? null : Number(text) });
  });
  strength.node.hidden = true;
  const again = button("New noise", () => set({ seed: state.seed + 1 }));
  const view = select(
    "Right",
    [
      ["end", "where it arrives"],
      ["guess", "its guess at t"],
    ],
    state.view,
    (name) => set({ view: /** @type {NetworkState["view"]} */ (name) }),
  );
  const nodes = classes ? [which, strength.node] : [];
  return make("div", { className: "fm-row fm-network" }, ...nodes, view, again);
}
