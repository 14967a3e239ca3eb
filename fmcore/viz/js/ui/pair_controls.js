// What the reader of a pair figure can choose, and what it says: the player; the pairings, one a row
// of a table, with what each makes of the flow; what is shown; and the hint, which follows the hand.

import { drawSample } from "../layers/pair_layer.js";
import { button, check, make, setText, timeControls } from "./controls.js";
import { Live } from "./live.js";
import { capitalized, number, plural } from "./words.js";

/** @typedef {import("../flow/pair_flow.js").PairFlow} PairFlow */
/** @typedef {import("../layers/pair_layer.js").Mark} Mark */

/**
 * @typedef {object} PairState
 * @property {string} pairing
 * @property {number} seed  of the independent pairs; the first are the rows as they are given
 * @property {number} share  of the whole time
 * @property {boolean} playing
 * @property {Record<string, boolean>} views
 */

/** @param {number} value */
const short = (value) => number(value, value < 0.1 ? 3 : 2);

/** @type {[title: string, text: (flow: PairFlow) => string][]} */
const COLUMNS = [
  ["squared length", ({ cost }) => short(cost)],
  ["cross\u00adings", ({ crossings }) => String(crossings)],
  ["straight\u00adness", ({ straightness }) => short(straightness)],
  ["Euler error", ({ euler }) => short(euler)],
];
const KINDS = ["noise point", "data point"];
const HOVER = "Thin: its pair. Broad: its trajectory. Dashed: one Euler step.";

/** @type {(mark: Mark) => string} */
const named = ({ side, i }) => `${KINDS[side]} ${i + 1}`;

/**
 * What the cursor stands on, and what the keys do there.
 * @type {(at: Mark, partner: Mark, picked: Mark | null) => string}
 */
export function describeMark(at, partner, picked) {
  if (picked && picked.side !== at.side) {
    return `${capitalized(named(at))}; Enter joins it to ${named(picked)}`;
  }
  const keys = "arrow keys choose another, Enter picks it up";
  return `${capitalized(named(at))}, joined to ${named(partner)}; ${keys}`;
}

/**
 * rows: of the table.
 * @param {{ id: string, label: string }[]} rows
 * @param {PairState} state  as it is now, whenever that is
 * @param {(changes: Partial<PairState>) => void} onChange
 * @param {() => void} onPlay
 */
export function pairControls(rows, state, onChange, onPlay) {
  const time = timeControls(state, (t) => `t = ${number(t)}`, onChange, onPlay);
  const table = pairTable(rows, (pairing) => onChange({ pairing }));
  const again = button("Draw again", () =>
    onChange({ pairing: "independent", seed: state.seed + 1 }),
  );
  const hint = make("span", { className: "fm-tip" });
  const dots = KINDS.map(() => make("i"));
  let hinted = ""; // what the hint is about
  const legend = Object.keys(state.views).map((name) => {
    const sample = make("canvas", { "aria-hidden": "true", className: "fm-sample" });
    const node = check(capitalized(name), state.views[name], (on) =>
      onChange({ views: { ...state.views, [name]: on } }),
    );
    node.append(sample);
    return { name, node, sample };
  });
  const readout = make("div", { className: "fm-readout" });
  const live = new Live();
  return {
    time: make("div", { className: "fm-row fm-time" }, ...time.nodes),
    nodes: [
      table.node,
      make("div", { className: "fm-row fm-again" }, again, hint),
      make("div", { className: "fm-group" }, ...legend.map(({ node }) => node)),
      readout,
      live.node,
    ],
    /** @param {Look & Colors} look */
    theme(look) {
      [look.source, look.target].forEach((color, side) => (dots[side].style.background = color));
      for (const { name, sample } of legend) drawSample(sample, name, look);
    },
    /**
     * Shows what changes by itself while it plays, and what the hand holds.
     * @param {import("./pair_hand.js").Held} held
     */
    update({ picked, hover }) {
      time.update();
      const about = picked ? `picked ${picked.side}` : hover ? "hover" : "hand";
      if (about === hinted) return;
      hinted = about;
      const [noise, data] = dots.map((dot, k) => [dot, KINDS[k]]);
      if (picked) {
        hint.replaceChildren("Now choose a ", ...(picked.side ? noise : data), " for it.");
      } else if (hover) {
        hint.replaceChildren(HOVER);
      } else {
        hint.replaceChildren("Or pair by hand: drag from a ", ...noise, " to a ", ...data, ".");
      }
    },
    /** @param {Record<string, PairFlow>} flows  as far as they are computed */
    show(flows) {
      table.show(state.pairing, flows);
      const { cost, crossings, straightness, euler } = flows[state.pairing];
      const label = rows.find(({ id }) => id === state.pairing)?.label ?? "";
      readout.replaceChildren(
        make("b", {}, label),
        `: the mean squared length of a pair is ${short(cost)}, and the lines cross ` +
          `${plural(crossings, "time")}. The trajectories have straightness ` +
          `${short(straightness)}, where 0 is straight. One Euler step lands ${short(euler)} ` +
          "from their ends, on average.",
      );
      live.say(readout.textContent ?? "");
    },
  };
}

/**
 * @param {{ id: string, label: string }[]} rows
 * @param {(id: string) => void} onChoose
 */
function pairTable(rows, onChoose) {
  const name = `pairing-${Math.random().toString(36).slice(2)}`; // two figures may share a document
  const lines = rows.map(({ id, label }) => {
    const input = make("input", { type: "radio", name, value: id });
    input.addEventListener("change", () => onChoose(id));
    const control = make("label", { className: "fm-control" }, input, make("span", {}, label));
    const cells = COLUMNS.map(() => make("td"));
    const node = make("tr", {}, make("th", { scope: "row" }, control), ...cells);
    return { id, input, cells, node };
  });
  const titles = ["Pairing", ...COLUMNS.map(([title]) => title)];
  const head = make("tr", {}, ...titles.map((title) => make("th", { scope: "col" }, title)));
  return {
    node: make(
      "table",
      { className: "fm-table" },
      make("thead", {}, head),
      make("tbody", {}, ...lines.map(({ node }) => node)),
    ),
    /**
     * A pairing without a flow does not exist yet, and cannot be chosen.
     * @param {string} chosen
     * @param {Record<string, PairFlow>} flows
     */
    show(chosen, flows) {
      for (const { id, input, cells, node } of lines) {
        input.checked = id === chosen;
        input.disabled = !flows[id];
        node.classList.toggle("fm-chosen", id === chosen);
        cells.forEach((cell, k) => setText(cell, flows[id] ? COLUMNS[k][1](flows[id]) : "–"));
      }
    },
  };
}
