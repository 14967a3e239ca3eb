// The living figure: render({ model, el }), as anywidget and MyST call it, and as the figure's own
// frame does.

import { button, check, make, playButton, range, select } from "./ui/controls.js";
import { Figure } from "./flow/figure.js";
import { mount } from "./host/mount.js";
import { listen } from "./ui/pointer.js";
import { describePoint, Readout } from "./ui/readout.js";
import { number, plural } from "./ui/words.js";

const VIEWS = { arrows: "Arrows", streamlines: "Streamlines", particles: "Particles" };

export function render({ model, el }) {
  return mount({ model, el }, (spec, fail) => build(spec, fail, el));
}

export default { render };

function build(spec, fail, el) {
  const stage = make("div", { className: "fm-stage" });
  const note = make("div", { className: "fm-note" });
  const hint = make("span", { className: "fm-hint", "aria-hidden": "true" }, "drag me");
  const readout = new Readout(spec);

  function adopt({ node, handle, camera }) {
    const clamp = ([x, y]) => {
      const [xmin, xmax, ymin, ymax] = camera.view();
      return [Math.min(Math.max(x, xmin), xmax), Math.min(Math.max(y, ymin), ymax)];
    };
    if (!figure.panels[1]) handle.append(hint);
    listen(node, handle, camera, {
      start([x, y], relative) {
        hint.remove();
        const { start } = figure.state;
        figure.set({ start: clamp(relative ? [start[0] + x, start[1] + y] : [x, y]) });
      },
      hover: (hover) => figure.set({ hover }),
    });
  }

  function changed(computed) {
    time.set(figure.state.share);
    play.set(figure.state.playing);
    const text = figure.found ? describePoint(figure.found) : "";
    if (note.textContent !== text) note.textContent = text;
    el.dataset.t = figure.t.toFixed(3);
    if (!computed) return;
    const report = figure.report();
    readout.show(report, figure);
    hint.classList.toggle("fm-right", report.end?.[0] < report.start[0]);
    Object.assign(el.dataset, { solver: report.solver, steps: report.steps, nfe: report.nfe });
  }

  const figure = new Figure(spec, stage, { adopt, changed, fail });
  const { state, span } = figure;
  stage.append(note);

  const clock = (share) => `t = ${number(span[0] + share * (span[1] - span[0]))}`;
  const play = playButton(state.playing, () => figure.toggle());
  const time = range("Time", { min: 0, max: 1, step: 0.01 }, state.share, clock, (share) =>
    figure.set({ share, playing: false }),
  );
  const first = choice(["Solver", "Steps", "Tolerance"], spec, state, (change) => figure.set(change));
  const names = ["Compare", "Steps to compare", "Tolerance to compare"];
  const second = choice(names, spec, state.compare, (change) => {
    const compare = { ...spec.compare_state, ...state.compare, ...change };
    figure.set({ compare: compare.solver ? compare : null });
  });
  const views = Object.entries(VIEWS).map(([name, text]) =>
    check(text, state.views[name], (on) => figure.set({ views: { ...state.views, [name]: on } })),
  );
  const fresh = button("New particles", () => figure.set({ seed: state.seed + 1 }));

  el.fmFigure = { state: () => figure.report(), set: (change) => figure.set(change) };
  return {
    node: make(
      "div",
      { className: "fm" },
      stage,
      make("div", { className: "fm-row fm-time" }, play, time.node),
      make("div", { className: "fm-row" }, first, second, make("div", { className: "fm-group" }, ...views, fresh)),
      readout.node,
      readout.live,
    ),
    resize: () => figure.fit(),
    show: (visible) => figure.show(visible),
    theme: (name) => figure.theme(name),
    stop: () => figure.stop(),
  };
}

/** A solver with its steps, or with its tolerance if it chooses the steps itself. */
function choice([title, stepsTitle, toleranceTitle], spec, now, tell) {
  const chosen = now ?? { ...spec.compare_state, solver: "" };
  const options = spec.solvers.map(({ id, label }) => [id, label]);
  if (title === "Compare") options.unshift(["", "nothing"]);
  const steps = range(
    stepsTitle, { min: 1, max: spec.most_steps, step: 1 }, chosen.steps,
    (n) => plural(n, "step"), (n) => tell({ steps: n }),
  );
  const tolerance = range(
    toleranceTitle, { min: 1, max: 7, step: 1 }, Math.round(-Math.log10(chosen.tolerance)),
    (k) => `to 10⁻${"¹²³⁴⁵⁶⁷"[k - 1]}`, (k) => tell({ tolerance: 10 ** -k }),
  );
  const fit = (id) => {
    const adaptive = spec.solvers.some((one) => one.id === id && one.adaptive);
    steps.node.hidden = !id || adaptive;
    tolerance.node.hidden = !id || !adaptive;
  };
  fit(chosen.solver);
  const solver = select(title, options, chosen.solver, (id) => {
    fit(id);
    tell({ solver: id });
  });
  return make("div", { className: "fm-choice" }, solver, steps.node, tolerance.node);
}
