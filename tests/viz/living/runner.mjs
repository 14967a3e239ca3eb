// Appended to the figure's scripts: runs one job, JSON from stdin, and prints its numbers as JSON.
/* global makeField, Computation, evenGrid, integrate, adapt, Run, meanDistance, meanEnd, draw, unpack */
/* global Gusts, diffuse */
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
  // Drift and g at each time: what the kernel computes, and JavaScript without it.
  noisy({ field, noise, t, x, y }) {
    const fast = makeField(field).noisy(noise);
    const { WebAssembly } = globalThis;
    delete globalThis.WebAssembly;
    const slow = makeField(field).noisy(noise);
    globalThis.WebAssembly = WebAssembly;
    const [drift, plain] = [fast, slow].map((sde) => velocities(sde.drift, t, x, y));
    return { drift, plain, g: t.map(fast.g) };
  },
  // A field is asked for its velocity, its drift, its velocity again.
  turns({ field, noise, t, x, y }) {
    const one = makeField(field);
    const { drift } = one.noisy(noise);
    return [one.evaluate, drift, one.evaluate].map((f) => velocities(f, [t], x, y)[0]);
  },
  density({ field, t, d, z, least }) {
    return list(makeField(field).density(t, d, Float64Array.from(z), least));
  },
  // sign: of the score's term in the drift; every: so many frames one is returned.
  diffuse({ field, noise, sign, n, seed, steps, parts, span, portion, every }) {
    const one = makeField(field);
    const { drift, g } = one.noisy(noise);
    const turned = (t, x, y, m, u, v) => {
      const [du, dv] = [new Float64Array(m), new Float64Array(m)];
      one.evaluate(t, x, y, m, u, v);
      drift(t, x, y, m, du, dv);
      for (let i = 0; i < m; i++) {
        u[i] += sign * (du[i] - u[i]);
        v[i] += sign * (dv[i] - v[i]);
      }
    };
    const sde = { drift: sign === 1 ? drift : turned, g };
    const source = { kind: "mixture", means: [0, 0], stds: [1, 1], weights: [1] };
    const { x, y } = draw(source, n, seed);
    const gusts = new Gusts(seed + 12345, n);
    const frames = Array.from({ length: (steps * parts) / every + 1 }, () => [[], []]);
    let nfe = 0;
    for (let from = 0; from < n; from += portion) {
      const to = Math.min(n, from + portion);
      const sink = (frame, fx, fy) => {
        if (frame % every) return;
        frames[frame / every][0].push(...fx);
        frames[frame / every][1].push(...fy);
      };
      const options = { parts, sink, gusts, from };
      const [px, py] = [x.subarray(from, to), y.subarray(from, to)];
      ({ nfe } = diffuse(sde, px, py, evenGrid(...span, steps), options));
    }
    return {
      frames,
      end: frames.at(-1),
      dx: every > 1 ? [] : list(gusts.x),
      dy: every > 1 ? [] : list(gusts.y),
      nfe,
    };
  },
  // The states of a computation's first run and path, for each of some settings of the dial.
  dial({ spec, state, noises }) {
    const computation = new Computation(spec, makeField(spec.field));
    return noises.map((noise) => {
      const begun = performance.now();
      computation.restart({ ...state, noise });
      computation.work(Infinity);
      const [run] = computation.runs;
      const milliseconds = performance.now() - begun;
      const { points, marks } = computation.paths[0].path();
      const middle = [new Float64Array(run.n), new Float64Array(run.n)];
      run.at(0.5, ...middle);
      const report = computation.report();
      return {
        end: run.end().map(list),
        middle: middle.map(list),
        points,
        marks,
        report,
        milliseconds,
      };
    });
  },
  draw({ source, n, seed }) {
    const { x, y } = draw(source, n, seed);
    return [list(x), list(y)];
  },
};

const jobs = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(jobs.map((job) => JOBS[job.job](unpack(job)))));
