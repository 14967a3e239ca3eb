// Appended to the figure's scripts: runs one job, JSON from stdin, and prints its numbers as JSON.
/* global makeField, Computation, evenGrid, integrate, adapt, Run, meanDistance, meanEnd, draw, unpack */
import { readFileSync } from "node:fs";

const list = (numbers) => Array.from(numbers);
const velocities = (evaluate, t, x, y) =>
  t.map((time) => {
    const u = new Float64Array(x.length);
    const v = new Float64Array(x.length);
    evaluate(time, Float64Array.from(x), Float64Array.from(y), x.length, u, v);
    return [list(u), list(v)];
  });
const JOBS = {
  field({ field, t, x, y }) {
    return velocities(makeField(field).evaluate, t, x, y);
  },
  steady({ field }) {
    return makeField(field).steady;
  },
  // A kernel, what it stands for, and what a browser without WebAssembly computes.
  kernel({ field, t, x, y }) {
    const fast = makeField(field);
    const { WebAssembly } = globalThis;
    delete globalThis.WebAssembly;
    const slow = makeField(field);
    globalThis.WebAssembly = WebAssembly;
    return {
      has_kernel: [fast, slow].map(({ evaluate, plain }) => evaluate !== plain),
      costs: [fast.cost, slow.cost],
      fast: velocities(fast.evaluate, t, x, y),
      plain: velocities(fast.plain, t, x, y),
      without: velocities(slow.evaluate, t, x, y),
    };
  },
  fixed({ field, tableau, x, y, span, steps, parts }) {
    const frames = [];
    const sink = (frame, fx, fy) => (frames[frame] = [list(fx), list(fy)]);
    const grid = evenGrid(...span, steps);
    const end = integrate(makeField(field), tableau, x, y, grid, { parts, sink });
    return { x: list(end.x), y: list(end.y), nfe: end.nfe, frames };
  },
  adaptive({ field, tableau, x, y, span, rtol, atol }) {
    const end = adapt(makeField(field), tableau, x, y, ...span, { rtol, atol });
    const accepted = end.grid.length - 1;
    return { x: list(end.x), y: list(end.y), nfe: end.nfe, rejected: end.rejected, accepted };
  },
  conditionals({ field, t, x, y }) {
    const found = makeField(field).conditionals(t, x, y, Infinity);
    return found.map(({ weight, from, to, u, v }) => ({ weight, from, to, u, v }));
  },
  run({ field, solver, steps, tolerance, x, y, span, times }) {
    const [f, start] = [makeField(field), { x: Float64Array.from(x), y: Float64Array.from(y) }];
    const run = new Run(f, { solver, steps, tolerance }, start, span);
    const portions = [];
    while (!run.done) {
      run.work(0); // one portion each time
      portions.push(run.ready);
    }
    const states = times.map((t) => {
      const [outX, outY] = [new Float64Array(x.length), new Float64Array(x.length)];
      run.at(t, outX, outY);
      return [list(outX), list(outY)];
    });
    const { points, marks } = run.path();
    const still = new Run(makeField(field), { solver, steps: 1, tolerance: 1 }, start, span);
    still.work(Infinity);
    const [end, distance, mean] = [run.end().map(list), meanDistance(run, still), meanEnd(run)];
    const other = still.end().map(list);
    return {
      portions,
      states,
      points,
      marks,
      end,
      other,
      distance,
      mean,
      nfe: run.nfe,
      steps: run.steps,
    };
  },
  computation({ spec, state }) {
    const computation = new Computation(spec, makeField(spec.field));
    computation.restart(state);
    computation.work(Infinity);
    return computation.report();
  },
  draw({ source, n, seed }) {
    const { x, y } = draw(source, n, seed);
    return [list(x), list(y)];
  },
};

const jobs = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(jobs.map((job) => JOBS[job.job](unpack(job)))));
