// The living figure of a network whose wires can be cut: render({ model, el }). Above is a drawing of
// the network, below are digits: on the left by the whole network, on the right with wires cut.
//
// At first one wire can be cut at a time, and the digits are those that were computed in advance. The
// network comes when the reader asks for it, and then any wires can be cut; whatever goes wrong with
// it, the pictures of the start are there again.

import { mount } from "./host/mount.js";
import { loadNetwork } from "./host/network.js";
import { DigitGrid } from "./layers/digit_grid.js";
import { NetworkDigits } from "./net/digits.js";
import { make, setText } from "./ui/controls.js";
import { mounted } from "./ui/mounted.js";
import { startControls } from "./ui/network_controls.js";
import { Player } from "./ui/player.js";
import { wireControls } from "./ui/wire_controls.js";
import { number } from "./ui/words.js";

/** @param {Host} host */
export function render({ model, el }) {
  return mount({ model, el }, (spec, fail) => build(spec, fail, { model, el }));
}

export default { render };

/**
 * @param {WireSpec} spec
 * @param {(error: Error) => void} fail
 * @param {Host} host
 * @returns {Mounted}
 */
function build(spec, fail, { model, el }) {
  const { shape, labels, wires, live } = spec;
  const [count, height, width] = shape;
  const area = height * width;
  /** @type {(which: number, i: number) => Float32Array} a digit that was computed in advance */
  const computed = (which, i) => {
    const at = (which * count + i) * area;
    return Float32Array.from(spec.pictures.subarray(at, at + area), (z) => z / 127.5 - 1);
  };
  const whole = Array.from({ length: count }, (_, i) => computed(0, i));
  /** @type {{ cut: string[], share: number, playing: boolean }} */
  const state = { ...spec.start_state, share: 1, playing: false };
  const player = new Player(state, fail);
  /** @type {NetworkDigits | null} */
  let network = null;

  const follow = () => {
    const [tableau] = live.tableaus;
    const chosen = wires.filter(({ id }) => state.cut.includes(id));
    const choice = { tableau, steps: spec.steps, label: null, guidance: 1 };
    network?.follow({ ...choice, labels, wires: chosen });
  };
  /** @param {Partial<typeof state>} changes */
  const set = (changes) => {
    Object.assign(state, changes);
    if (!network) state.cut = state.cut.slice(-1); // the last that was cut
    follow();
    player.requestPaint();
  };
  /** @param {string} id */
  const toggle = (id) => {
    const { cut } = state;
    set({ cut: cut.includes(id) ? cut.filter((other) => other !== id) : [...cut, id] });
  };

  const [left, right] = [new DigitGrid(shape), new DigitGrid(shape)];
  const [leftTitle, rightTitle] = [0, 1].map(() => make("p", { className: "fm-side-title" }));
  const readout = make("p", { className: "fm-readout", role: "status", "aria-live": "polite" });
  for (const [{ canvas }, label] of /** @type {[DigitGrid, string][]} */ ([
    [left, "Digits of the whole network"],
    [right, "The same digits with wires cut"],
  ])) {
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
  }
  setText(leftTitle, "The whole network");
  const drawing = wireControls(wires, spec.levels, toggle, () => set({ cut: [] }));

  const cutNames = () => {
    const cut = wires.filter(({ id }) => state.cut.includes(id));
    return cut.map(({ text, place: [row] }) =>
      text.startsWith("block") || row === spec.levels ? text.split(",")[0] : `${text} ${row + 1}`,
    );
  };
  /** @type {(read: (number | null)[] | null) => string} what the judge says of digits */
  const judged = (read) => {
    if (!read) return "";
    const good = read.filter((digit, i) => digit !== null && (!labels || digit === labels[i]));
    return `${good.length} of ${count} ${labels ? "as the digits that were asked for" : "as digits"}`;
  };
  const paintComputed = () => {
    const which = 1 + wires.findIndex(({ id }) => id === state.cut[0]);
    right.draw((ctx, i, ...place) => right.numbers(computed(which, i))(ctx, i, ...place));
    const [before, now] = [judged(spec.reads?.[0] ?? null), judged(spec.reads?.[which] ?? null)];
    const reads = !before ? "" : which ? `The judge reads ${now} (before: ${before}). ` : `The judge reads ${before}. `; // prettier-ignore
    setText(readout, `${reads}Run the network to cut several wires at once.`);
  };
  /** @param {NetworkDigits} digits */
  const paintNetwork = (digits) => {
    const { shown, waiting, nfe, milliseconds } = digits;
    right.draw(
      (ctx, i, ...place) => right.numbers(digits.pixels(shown[i], "end", 1))(ctx, i, ...place),
      (i) => [shown[i], shown[i]?.moments.length],
    );
    const verdicts = shown.map((journey) => journey?.verdict ?? null);
    const read = verdicts.map((one) => (one && one.readable > 0.5 ? one.digit : null));
    const judge = verdicts.some(Boolean) ? `The judge reads ${judged(read)}. ` : "";
    setText(
      readout,
      waiting.length
        ? `The network is at work: ${count - waiting.length} of ${count}.`
        : `${judge}NFE ${nfe} a digit, ${number(milliseconds, 1)} ms an evaluation in this browser.`,
    );
  };
  player.onPaint = () => {
    drawing.update(state.cut);
    setText(rightTitle, state.cut.length ? `Cut: ${cutNames().join(", ")}` : "Nothing is cut");
    left.draw((ctx, i, ...place) => left.numbers(whole[i])(ctx, i, ...place), () => [whole]); // prettier-ignore
    if (network) paintNetwork(network);
    else paintComputed();
  };

  const start = startControls(live.bytes, () => void begin());
  /** @type {(...nodes: HTMLElement[]) => HTMLElement} */
  const side = (...nodes) => make("div", { className: "fm-side" }, ...nodes);
  const node = make(
    "div",
    { className: "fm fm-cuts", role: "group", "aria-label": spec.alt },
    drawing.node,
    make("div", { className: "fm-sides" }, side(leftTitle, left.canvas), side(rightTitle, right.canvas)),
    start.node,
    readout,
  ); // prettier-ignore

  async function begin() {
    start.loading(0);
    try {
      const buffer = await loadNetwork(model, (received) => start.loading(received));
      network = new NetworkDigits(spec, buffer, () => player.requestPaint(), giveUp);
      start.node.hidden = true;
      network.draw(0);
      set({});
    } catch (error) {
      giveUp(/** @type {Error} */ (error));
    }
  }

  /** Back to the pictures of the start, with a sentence. @param {Error} error */
  function giveUp(error) {
    network?.stop();
    network = null;
    start.node.hidden = false;
    start.failed(`The network does not run here: ${error.message}`);
    set({});
  }

  el.fmFigure = {
    state: () => ({
      ...state,
      live: network !== null,
      waiting: network?.waiting.length ?? 0,
      nfe: network?.nfe ?? 0,
      verdicts: network?.shown.map((journey) => journey?.verdict ?? null) ?? [],
      ready: true,
      pending: player.scheduled,
    }),
    set,
  };
  return mounted(node, player, () => network?.stop());
}
