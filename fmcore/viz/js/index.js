// The entry: render({ model, el }), as anywidget and MyST call it, and as the figure's own frame
// does. `model.get("spec")` is the figure's data, an object or its JSON.

import { button, check, make, playButton, range, select } from "./controls.js";
import { unpack } from "./fields.js";
import { Figure } from "./figure.js";
import { followTheme } from "./look.js";
import { listen } from "./pointer.js";
import { describePoint, number, Readout } from "./readout.js";
import { STYLE } from "./style.js";

const HINT = "Drag the ring, or tap: where does the flow take it?";
const VIEWS = { arrows: "Arrows", streamlines: "Streamlines", particles: "Particles" };

export function render({ model, el }) {
  el.append(make("style", {}, STYLE));
  try {
    const given = model.get("spec");
    return build(unpack(typeof given === "string" ? JSON.parse(given) : given), el);
  } catch (error) {
    const text = `This figure cannot be shown: ${error.message}`;
    el.append(make("p", { className: "fm-error", role: "alert" }, text));
    return () => el.replaceChildren();
  }
}

function build(spec, el) {
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (still) spec.start_state.playing = false;
  const stage = make("div", { className: "fm-stage", role: "group", "aria-label": spec.alt });
  const note = make("div", { className: "fm-note" });
  const handle = make("button", { type: "button", className: "fm-handle" });
  const readout = new Readout(spec);

  let shown = "";
  let touched = false;
  const figure = new Figure(spec, stage, (figure, computed) => {
    time.set(figure.state.share);
    play.set(figure.state.playing);
    place();
    note.textContent = figure.found ? describePoint(figure.found) : touched ? "" : HINT;
    el.dataset.t = figure.t.toFixed(3);
    if (!computed && shown === figure.themeName) return;
    shown = figure.themeName;
    const report = figure.report();
    readout.show(report, figure.colors());
    Object.assign(el.dataset, { solver: report.solver, steps: report.steps, nfe: report.nfe });
  });
  const { state } = figure;
  stage.append(handle, note);

  const clock = (share) => `t = ${number(spec.span[0] + share * (spec.span[1] - spec.span[0]))}`;
  const play = playButton(state.playing, () => {
    const again = !state.playing && state.share >= 1 ? { share: 0 } : {};
    figure.set({ playing: !state.playing, ...again });
  });
  const fine = { min: 0, max: 1, step: 0.01 };
  const time = range("Time", fine, state.share, clock, (share) =>
    figure.set({ share, playing: false }),
  );

  const first = choice("Solver", "Steps", spec, state, (change) => figure.set(change), null);
  const second = choice("Compare", "Steps to compare", spec, state.compare, (change) => {
    const compare = { ...spec.compare_state, ...state.compare, ...change };
    figure.set({ compare: compare.solver ? compare : null });
  }, "nothing");
  const views = Object.entries(VIEWS).map(([name, text]) =>
    check(text, state.views[name], (on) => figure.set({ views: { ...state.views, [name]: on } })),
  );
  const fresh = button("New particles", () => figure.set({ seed: state.seed + 1 }));

  const group = make("div", { className: "fm-group" }, ...views.map(({ node }) => node), fresh.node);
  const root = make(
    "div",
    { className: "fm" },
    stage,
    make("div", { className: "fm-row fm-time" }, play.node, time.node),
    make("div", { className: "fm-row" }, first, second, group),
    readout.node,
    readout.live,
  );
  el.append(root);

  /** The handle stands where the starting point is. */
  function place() {
    const [x, y] = state.start;
    handle.style.left = `${figure.camera.x(x)}px`;
    handle.style.top = `${figure.camera.y(y)}px`;
    const text = `Starting point ${number(x)}, ${number(y)}; arrow keys move it`;
    if (handle.getAttribute("aria-label") !== text) handle.setAttribute("aria-label", text);
  }
  const clamp = ([x, y]) => {
    const [xmin, xmax, ymin, ymax] = figure.camera.view();
    return [Math.min(Math.max(x, xmin), xmax), Math.min(Math.max(y, ymin), ymax)];
  };
  listen(stage, handle, figure.camera, {
    start: ([x, y], relative) => {
      touched = true;
      const start = relative ? [state.start[0] + x, state.start[1] + y] : [x, y];
      figure.set({ start: clamp(start) });
    },
    hover: (hover) => figure.set({ hover }),
  });

  const sizes = new ResizeObserver(() => figure.resize(stage.clientWidth, stage.clientHeight));
  sizes.observe(stage);
  const sight = new IntersectionObserver((seen) => figure.show(seen.at(-1).isIntersecting));
  sight.observe(stage);
  const unfollow = followTheme((theme) => {
    root.dataset.theme = theme;
    figure.theme(theme);
  });
  figure.resize(stage.clientWidth, stage.clientHeight);
  el.fmFigure = { state: () => figure.report(), set: (change) => figure.set(change) };
  return () => {
    [sizes, sight].forEach((observer) => observer.disconnect());
    unfollow();
    figure.stop();
    el.replaceChildren();
  };
}

/** A solver with its steps, or with its tolerance if it chooses the steps itself. */
function choice(title, stepsTitle, spec, state, tell, none) {
  const adaptive = (id) => spec.solvers.some((one) => one.id === id && one.adaptive);
  const options = spec.solvers.map(({ id, label }) => [id, label]);
  if (none) options.unshift(["", none]);
  const now = state ?? { ...spec.compare_state, solver: "" };
  const exponent = (tolerance) => Math.round(-Math.log10(tolerance));
  const sizes = { min: 1, max: spec.most_steps, step: 1 };
  const steps = range(stepsTitle, sizes, now.steps, (n) => `${n} step${n === 1 ? "" : "s"}`, (steps) => tell({ steps }));
  const shown = (k) => `to 10⁻${"¹²³⁴⁵⁶⁷"[k - 1]}`;
  const orders = { min: 1, max: 7, step: 1 };
  const tolerance = range(none ? "Tolerance to compare" : "Tolerance", orders, exponent(now.tolerance), shown, (k) =>
    tell({ tolerance: 10 ** -k }),
  );
  const fit = (id) => {
    steps.node.hidden = !id || adaptive(id);
    tolerance.node.hidden = !id || !adaptive(id);
  };
  const solver = select(title, options, now.solver, (id) => {
    fit(id);
    tell({ solver: id });
  });
  fit(now.solver);
  return make("div", { className: "fm-choice" }, solver.node, steps.node, tolerance.node);
}
