// The living figure of the reader's hand: render({ model, el }). On the left is a sheet to draw on, on
// the right what the network makes of the drawing: it finishes it, tidies it up, sends it to its noise
// and back, or morphs it into another digit.
//
// At first the right shows what was computed in advance. The network comes when the reader asks for it;
// whatever goes wrong with it, the pictures of the start are there again.

import { mount } from "./host/mount.js";
import { loadNetwork } from "./host/network.js";
import { DigitGrid } from "./layers/digit_grid.js";
import { HandNetwork } from "./net/hand.js";
import { make, setText } from "./ui/controls.js";
import { handControls, sheetControls } from "./ui/hand_controls.js";
import { BOX, centred, inkLine, inkOf, upperHalf } from "./ui/ink.js";
import { mounted } from "./ui/mounted.js";
import { startControls } from "./ui/network_controls.js";
import { listenToPen } from "./ui/pen.js";
import { Player } from "./ui/player.js";
import { number } from "./ui/words.js";

const SHEET_SCALE = 12; // pixels of the canvas for one of the sheet
const MARGIN = (1 - BOX) / 2; // of the sheet, around the box that a digit should fill
const MOST_UNDO = 50;
const [OFF_CENTRE, SMALL] = [2.5 / 28, 13 / 28]; // shares of the sheet

/** @param {Host} host */
export function render({ model, el }) {
  return mount({ model, el }, (spec, fail) => build(spec, fail, { model, el }));
}

export default { render };

/**
 * @param {HandSpec} spec
 * @param {(error: Error) => void} fail
 * @param {Host} host
 * @returns {Mounted}
 */
function build(spec, fail, { model, el }) {
  const { shape, names, live, start_state: first } = spec;
  const size = { height: shape[0], width: shape[1] };
  const area = size.height * size.width;
  /** @type {(bytes: Uint8Array, i: number) => Float32Array} */
  const picture = (bytes, i) =>
    Float32Array.from(bytes.subarray(i * area, (i + 1) * area), (byte) => byte / 127.5 - 1);
  const digits = names.map((_, i) => picture(spec.digits, i));
  const finished = [0, 1, 2, 3].map((i) => picture(spec.finished, i));
  const drawing = picture(spec.drawing, 0);
  /** @type {Float32Array} */
  let sheet = drawing.slice();
  let strokes = 0; // of the pen, as far as they are drawn
  /** @type {Float32Array[]} */
  let history = [];
  /** @type {HandNetwork | null} */
  let network = null;
  let asked = sheet; // the drawing that the pictures on the right are of
  /** @type {import("./ui/hand_controls.js").HandState} */
  const state = { what: "finish", label: null, share: 1, playing: false, ...first };
  const player = new Player(state, fail);
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  const paper = new DigitGrid([1, ...shape], SHEET_SCALE);
  const [four, nine] = [4, 9].map((count) => new DigitGrid([count, ...shape]));
  let grid = four;
  paper.canvas.classList.add("fm-sheet");
  for (const [{ canvas }, label] of /** @type {[DigitGrid, string][]} */ ([
    [paper, "The sheet: draw on it with a pointer, or choose a test digit below"],
    [four, "What the network makes of the drawing: four pictures"],
    [nine, "What the network makes of the drawing: nine pictures, row by row"],
  ])) {
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
  }
  const [leftTitle, rightTitle] = [0, 1].map(() => make("p", { className: "fm-side-title" }));
  const readout = make("p", { className: "fm-readout", role: "status", "aria-live": "polite" });
  setText(leftTitle, "Draw here");

  /** Asks the network anew, if it is there and there is something to ask about. */
  const ask = () => {
    state.share = 1;
    asked = sheet.slice();
    if (network && inkOf(sheet, size).empty) network.forget();
    else network?.ask(state.what, asked, digits[names.indexOf(state.goal)], state);
    player.requestPaint();
  };
  /** @param {Partial<typeof state>} changes */
  const set = (changes) => {
    Object.assign(state, changes);
    if (Object.keys(changes).some((name) => name !== "share")) ask();
    player.requestPaint();
  };

  const remember = () => {
    history = [...history.slice(1 - MOST_UNDO), sheet.slice()];
    tools.changed();
  };
  /** @param {Float32Array} now */
  const redraw = (now) => {
    remember();
    sheet = now.slice();
    ask();
  };
  const tools = sheetControls(names, (name) => redraw(digits[names.indexOf(name)]), [
    ["Upper half", () => redraw(upperHalf(sheet))],
    ["Centre", () => redraw(centred(sheet, size))],
    ["Undo", () => {
      sheet = history.pop() ?? sheet;
      ask();
    }],
    ["Clear", () => redraw(sheet.map(() => -1))],
  ]); // prettier-ignore
  listenToPen(paper, {
    onStart: remember,
    onLine: (from, to) => {
      inkLine(sheet, size, from, to);
      strokes++;
      player.requestPaint();
    },
    onEnd: ask,
  });

  const paintSheet = () => {
    paper.draw(
      (ctx, ...place) => {
        paper.numbers(sheet)(ctx, ...place);
        const [x, y] = [MARGIN * size.width * SHEET_SCALE, MARGIN * size.height * SHEET_SCALE];
        Object.assign(ctx, { strokeStyle: "#9a8f78", lineWidth: 2 });
        ctx.setLineDash([8, 10]);
        ctx.strokeRect(x, y, ctx.canvas.width - 2 * x, ctx.canvas.height - 2 * y);
      },
      () => [sheet, strokes],
    );
  };
  /**
   * What a finished picture is compared with, so that what is new is blue, and nothing orange.
   * @type {(sheet: Float32Array, x: Float32Array) => Float32Array}
   */
  const before = (then, x) => then.map((z, p) => Math.min(z, x[p]));
  /** @param {DigitGrid} next */
  const use = (next) => {
    if (grid === next) return;
    grid.canvas.replaceWith(next.canvas);
    grid = next;
  };
  const paintFinished = () => {
    use(four);
    four.draw((ctx, i, ...place) =>
      four.numbers(finished[i], before(drawing, finished[i]))(ctx, i, ...place),
    );
    setText(rightTitle, "Finished in advance");
    setText(readout, "What is new is blue. Run the network, and it finishes your own drawing.");
  };
  /** @param {HandNetwork} at */
  const paintNetwork = (at) => {
    use(at.count === 4 ? four : nine);
    /** @type {(i: number) => [Float32Array | null, boolean]} a picture, and whether it is finished */
    const known = (i) => {
      const outcome = at.outcomes[at.what === "trip" ? 0 : i];
      const shown = calm && !outcome?.done ? null : at.picture(i, state.share);
      return [shown?.x ?? null, at.what === "finish" && shown?.t === 1];
    };
    grid.draw((ctx, i, ...place) => {
      const [x, ends] = known(i);
      grid.numbers(x, x && ends ? before(asked, x) : null)(ctx, i, ...place);
    }, known);
    const titles = {
      finish: state.share < 1 ? `On the path, t = ${number(state.share)}` : "Finished, from four noises",
      tidy: `From t = ${number(state.t)} on, with four noises`,
      trip: "To its noise and back",
      morph: `Along the arc to ${state.goal}, row by row`,
    }; // prettier-ignore
    setText(rightTitle, titles[at.what]);
    setText(readout, words(at));
  };

  /** @param {HandNetwork} at */
  const words = (at) => {
    const { empty, middle, wide, high } = inkOf(sheet, size);
    if (empty) return "The sheet is empty: draw something, or choose a test digit.";
    const { nfe, milliseconds, took, outcomes, what } = at;
    if (!outcomes.length) return ""; // the first line after an empty sheet is being drawn
    if (at.waiting) return "The network is at work.";
    const read = outcomes.map(({ verdict }) =>
      verdict && verdict.readable > 0.5 ? verdict.digit : "no digit",
    );
    const off = Math.max(
      ...[middle[0] / size.width, middle[1] / size.height].map((z) => Math.abs(z - 0.5)),
    );
    const misplaced = off > OFF_CENTRE || Math.max(wide / size.width, high / size.height) < SMALL;
    return [
      `NFE ${nfe} in all, ${number(milliseconds, 1)} ms an evaluation in this browser: `,
      `${number(took.all / 1000, 1)} s. `,
      outcomes[0].verdict ? `The judge reads: ${read.join(", ")}. ` : "",
      what === "finish" ? "What is new is blue." : "",
      what !== "finish" && misplaced
        ? "The drawing is small or off centre, and the network knows digits that fill the " +
          "dashed box: press Centre."
        : "",
    ].join("");
  };

  player.onPaint = () => {
    controls.update();
    paintSheet();
    if (network) paintNetwork(network);
    else paintFinished();
  };

  const start = startControls(live.bytes, () => void begin());
  const controls = handControls(names, live.classes, state, set);
  const settings = make("div", { className: "fm-row", hidden: true }, ...controls.settings);
  /** @type {(title: HTMLElement, canvas: HTMLElement, row: HTMLElement) => HTMLElement} */
  const side = (...nodes) => make("div", { className: "fm-side" }, ...nodes);
  const node = make(
    "div",
    { className: "fm fm-hand", role: "group", "aria-label": spec.alt },
    make(
      "div",
      { className: "fm-sides" },
      side(leftTitle, paper.canvas, make("div", { className: "fm-row fm-tools" }, ...tools.nodes)),
      side(rightTitle, four.canvas, settings),
    ),
    start.node,
    readout,
  );

  async function begin() {
    start.loading(0);
    try {
      const buffer = await loadNetwork(model, (received) => start.loading(received));
      network = new HandNetwork(spec, buffer, () => player.requestPaint(), giveUp);
      start.node.replaceWith(controls.deeds);
      settings.hidden = false;
      ask();
    } catch (error) {
      giveUp(/** @type {Error} */ (error));
    }
  }

  /** Back to the pictures of the start, with a sentence. @param {Error} error */
  function giveUp(error) {
    network?.stop();
    network = null;
    controls.deeds.replaceWith(start.node);
    settings.hidden = true;
    start.failed(`The network does not run here: ${error.message}`);
    player.requestPaint();
  }

  el.fmFigure = {
    state: () => ({
      ...state,
      ...inkOf(sheet, size),
      live: network !== null,
      waiting: network?.waiting ?? false,
      nfe: network?.nfe ?? 0,
      took: network?.took ?? null,
      milliseconds: network?.milliseconds ?? 0,
      verdicts: network?.outcomes.map(({ verdict }) => verdict) ?? [],
      ready: true,
      pending: player.scheduled,
    }),
    set,
  };
  return mounted(node, player, () => network?.stop());
}
