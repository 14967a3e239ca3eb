// The living figure of flow maps: render({ model, el }). The reader says when a jump begins and ends,
// and sees where the network lands and where the flow goes.

import { JumpFlow } from "./flow/jump_flow.js";
import { draw } from "./flow/random.js";
import { mount } from "./host/mount.js";
import { JumpPanel } from "./layers/jump_panel.js";
import { makeLook } from "./layers/look.js";
import { make } from "./ui/controls.js";
import { jumpControls, JumpReadout } from "./ui/jump_controls.js";
import { Player } from "./ui/player.js";
import { listen } from "./ui/pointer.js";

/** @typedef {import("./flow/jump_flow.js").JumpSpec} JumpSpec */
/** @typedef {import("./flow/jump_flow.js").JumpState} JumpState */

const WORK = 14; // milliseconds for a picture
const TARGET_DOTS = 600; // at most
const TARGET_SEED = 9;

/** @param {Host} host */
export function render({ model, el }) {
  return mount({ model, el }, (spec, fail) => build(spec, fail, el));
}

export default { render };

/**
 * @param {JumpSpec} spec
 * @param {(error: Error) => void} fail
 * @param {FigureElement} el
 * @returns {Mounted}
 */
function build(spec, fail, el) {
  /** @type {JumpState} */
  const state = { ...spec.start_state };
  const dots = Math.min(TARGET_DOTS, spec.particles);
  const panel = new JumpPanel(spec, spec.target && draw(spec.target, dots, TARGET_SEED));
  const flow = new JumpFlow(spec);
  const player = new Player({ share: 1, playing: false }, fail); // nothing plays: pictures alone
  let look = makeLook("light", spec.colors);
  let [flowStale, wordsStale] = [true, true];

  /** @param {Partial<JumpState>} changes */
  const set = (changes) => {
    const { network = state.network } = changes;
    if (!spec.networks[network]) throw new Error(`no network "${network}"`);
    Object.assign(state, changes);
    flowStale = true;
    player.requestPaint();
  };
  const controls = jumpControls(spec, state, set);
  const readout = new JumpReadout(spec);

  player.onPaint = () => {
    const fresh = flowStale || wordsStale || !flow.done;
    if (flowStale) flow.restart(state);
    flow.work(WORK);
    flowStale = wordsStale = false;
    panel.paint(flow, look, state.start);
    controls.update();
    const { s, t, jumps, network } = state;
    Object.assign(el.dataset, { s: s.toFixed(3), t: t.toFixed(3), jumps, network });
    if (fresh) readout.show(panel.label, state, flow.report(), look);
    panel.handle.hintAt((flow.one?.to.x[0] ?? 0) < state.start[0]);
    return !flow.done;
  };

  /** @param {Point} to */
  const onMove = (to) => {
    panel.handle.taken();
    set({ start: panel.camera.clamp(to) });
  };
  listen(panel, {
    onMove,
    onNudge: ([dx, dy]) => onMove([state.start[0] + dx, state.start[1] + dy]),
    onHover: () => {},
  });
  panel.handle.offer();

  el.fmFigure = {
    state: () => ({
      ...structuredClone(state),
      ...flow.report(),
      theme: look.theme,
      ready: true,
      pending: flowStale || !flow.done || player.scheduled,
    }),
    set,
  };
  return {
    node: make(
      "div",
      { className: "fm" },
      make("div", { className: "fm-stage" }, panel.node),
      ...controls.nodes,
      readout.node,
      readout.live.node,
    ),
    resize: () => {
      panel.fit();
      player.requestPaint();
    },
    show: (visible) => player.show(visible),
    theme: (name) => {
      look = makeLook(name, spec.colors);
      wordsStale = panel.stale = true;
      player.requestPaint();
    },
    stop: () => player.stop(),
  };
}
