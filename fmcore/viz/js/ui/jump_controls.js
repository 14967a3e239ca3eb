// What the reader of a jump figure can choose, and what it says: when a jump begins and ends, how many
// there are, whose they are; and how far they end from the flow.

import { button, check, make, range, select } from "./controls.js";
import { Live } from "./live.js";
import { capitalized, number, plural, small } from "./words.js";

/** @typedef {import("../flow/jump_flow.js").JumpSpec} JumpSpec */
/** @typedef {import("../flow/jump_flow.js").JumpState} JumpState */

const STOPS = 100; // of the sliders of time

/**
 * @param {JumpSpec} spec
 * @param {JumpState} state  as it is now, whenever that is
 * @param {(changes: Partial<JumpState>) => void} onChange
 */
export function jumpControls(spec, state, onChange) {
  const [min, max] = spec.span;
  const limits = { min, max, step: (max - min) / STOPS };
  /** @type {(name: string) => (value: number) => string} */
  const says = (name) => (value) => `${name} = ${number(value)}`;
  // One time pushes the other: a jump never goes backward.
  const from = range("From", limits, state.s, says("s"), (s) =>
    onChange({ s, t: Math.max(s, state.t) }),
  );
  const to = range("To", limits, state.t, says("t"), (t) =>
    onChange({ t, s: Math.min(t, state.s) }),
  );
  const jumps = range(
    "Jumps",
    { min: 1, max: spec.most_jumps, step: 1 },
    state.jumps,
    (n) => plural(n, "jump"),
    (n) => onChange({ jumps: n }),
  );
  const names = Object.keys(spec.networks);
  const network = select(
    "Network",
    names.map((name) => [name, name]),
    state.network,
    (name) => onChange({ network: name }),
  );
  const views = Object.keys(state.views).map((name) =>
    check(capitalized(name), state.views[name], (on) =>
      onChange({ views: { ...state.views, [name]: on } }),
    ),
  );
  const again = button("New particles", () => onChange({ seed: state.seed + 1 }));
  const choice = make("div", { className: "fm-choice" }, jumps.node);
  if (names.length > 1) choice.prepend(network);
  /** @param {HTMLElement} node */
  const time = (node) => make("div", { className: "fm-row fm-time fm-when" }, node);
  return {
    nodes: [
      time(from.node),
      time(to.node),
      make(
        "div",
        { className: "fm-row" },
        choice,
        make("div", { className: "fm-group" }, ...views, again),
      ),
    ],
    /** Shows what changes without these controls, or with another one. */
    update() {
      from.set(state.s);
      to.set(state.t);
      jumps.set(state.jumps);
    },
  };
}

/** The legend on the stage, and the readout below the controls. */
export class JumpReadout {
  node = make("div", { className: "fm-readout" });
  live = new Live();

  /** @param {JumpSpec} spec */
  constructor(spec) {
    this.spec = spec;
  }

  /**
   * @param {HTMLElement} label
   * @param {JumpState} state
   * @param {ReturnType<import("../flow/jump_flow.js").JumpFlow["report"]>} report
   * @param {Look & Colors} look
   */
  show(label, { network, jumps, views, s, t }, { all, one }, look) {
    if (!all || !one) return;
    const color = look.tint(this.spec.euler.color);
    label.replaceChildren(
      ...[dot(look.source), `at s = ${number(s)}\u2002`, dot(look.path), "jump\u2002"],
      ...[dot(look.ink, true), "exact"],
      ...(views.euler ? ["\u2002", dot(color), "Euler"] : []),
    );
    /** @type {(name: "jumps" | "euler", tint: string, title: string, how: string) => HTMLElement} */
    const line = (name, tint, title, how) => {
      const distances = `${small(all.off[name])} off (starting point: ${small(one.off[name])}).`;
      return make("div", {}, dot(tint), make("b", {}, title), `${how}: ${distances} `);
    };
    const lines = [line("jumps", look.path, network, `, ${plural(jumps, "jump")}`)];
    const cost = ` on the exact field, ${plural(jumps, "evaluation")}`;
    if (views.euler) lines.push(line("euler", color, "Euler", cost));
    const text =
      `Off: the distance from the exact end at t = ${number(t)}, ` +
      `root mean square over ${plural(all.from[0].length, "particle")}.`;
    this.node.replaceChildren(...lines, make("div", {}, text));
    this.live.say(this.node.textContent ?? "");
  }
}

/** @type {(color: string, hollow?: boolean) => HTMLElement} */
const dot = (color, hollow = false) =>
  make("i", { style: hollow ? `border:1.5px solid ${color}` : `background:${color}` });
