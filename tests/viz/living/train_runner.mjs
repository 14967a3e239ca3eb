// Appended to the scripts that train: answers a job, in Node and in a page.
/* global Learner, Session, Trainer, Draws, conditional, assignment, transport, learningRate, exactField, lossOf, mlp */

const list = (numbers) => Array.from(numbers);
const doubles = (numbers) => Float64Array.from(numbers);
const batchOf = ({ x, y, t, u, v }) => ({
  x: doubles(x),
  y: doubles(y),
  t: doubles(t),
  u: doubles(u),
  v: doubles(v),
});
const cloudOf = ([x, y]) => ({ x: doubles(x), y: doubles(y) });
const listed = ({ x, y }) => [list(x), list(y)];
const opened = ({ network, kinds, weights }) => {
  const learner = new Learner(network, kinds);
  learner.write(weights);
  return learner;
};
const TRAIN_JOBS = {
  gradient(job) {
    const learner = opened(job);
    const batch = batchOf(job.batch);
    const before = learner.loss(batch, "averages");
    const loss = learner.learn(batch);
    const again = learner.learn(batch);
    const [weights, gradient] = ["weights", "gradient"].map((which) =>
      learner.read(which).map(list),
    );
    return { kind: learner.kind, before, loss, again, weights, gradient };
  },
  // so many steps on given batches
  steps(job) {
    const learner = opened(job);
    const losses = job.batches.map((batch, k) => {
      const loss = learner.learn(batchOf(batch));
      learner.step(job.how[k]);
      return loss;
    });
    const [weights, averages] = ["weights", "averages"].map((which) =>
      learner.read(which).map(list),
    );
    return { losses, weights, averages };
  },
  path: ({ path, x0, x1, t }) => {
    const { x, y, u, v } = conditional(path)({ x0: cloudOf(x0), x1: cloudOf(x1) }, doubles(t));
    return [x, y, u, v].map(list);
  },
  assign: ({ cost, n }) => list(assignment(doubles(cost), n)),
  transport({ a, b }) {
    const { partners, distance } = transport(cloudOf(a), cloudOf(b));
    return { partners: list(partners), distance };
  },
  draws({ shape, n, seed }) {
    const draws = new Draws(seed);
    return {
      x0: listed(draws.noise(n)),
      x1: listed(draws.data(shape, n)),
      t: list(draws.times(n)),
    };
  },
  rates: ({ lr, steps, total }) => steps.map((k) => learningRate(lr, k, total)),
  floor: ({ shape, path, batch }) => lossOf(exactField(shape, path), batchOf(batch)),
  // a training, with its loss on the test pairs at some of its steps
  train({ settings, look, restore, kinds }) {
    const trainer = new Trainer(settings, kinds);
    const [seen, losses] = [[], []];
    const start = trainer.learner.read("weights").map(list);
    while (trainer.step < settings.steps && !trainer.diverged) {
      losses.push(trainer.advance());
      if (look.includes(trainer.step)) seen.push(trainer.examine());
    }
    const { diverged, floor, step, test } = trainer;
    const found = { start, seen, floor, losses, diverged, step, averages: trainer.learner.read("averages").map(list) }; // prettier-ignore
    if (restore) {
      trainer.restore(start.map(doubles));
      found.after = [trainer.lr, trainer.diverged, trainer.advance(), trainer.step];
    }
    return {
      ...found,
      test: Object.fromEntries(Object.entries(test).map(([k, z]) => [k, list(z)])),
    };
  },
  // to which step a training goes back that has these losses on its test pairs, and diverges then
  good({ settings, losses }) {
    const session = new Session(1, settings, null);
    const { trainer } = session;
    for (const loss of losses) {
      trainer.advance();
      trainer.examine = () => loss;
      session.report(null);
    }
    trainer.diverged = true;
    const { diverged, done } = session.report(null);
    return [diverged, done];
  },
  // the velocity at a point: of one network, of another, and of the first once it has its weights
  refresh({ networks, t, at: [x, y] }) {
    const fields = networks.map(mlp);
    const velocity = ({ evaluate }) => {
      const [u, v] = [new Float64Array(1), new Float64Array(1)];
      evaluate(t, doubles([x]), doubles([y]), 1, u, v);
      return [u[0], v[0]];
    };
    const before = fields.map(velocity);
    networks[0].layers.forEach((layer, l) => Object.assign(layer, networks[1].layers[l]));
    fields[0].refresh();
    const plain = { evaluate: fields[0].plain };
    return [...before, velocity(fields[0]), velocity(plain)];
  },
  // the pairs of one batch, in their order
  pairs({ settings, ends }) {
    const trainer = new Trainer(settings);
    if (ends) trainer.reflow({ x0: cloudOf(ends.x0), x1: cloudOf(ends.x1) });
    const { x0, x1 } = trainer.couple(new Draws(1), settings.batch);
    const { floor, begun, end, learner } = trainer;
    return { x0: listed(x0), x1: listed(x1), floor, begun, end, steps: learner.steps };
  },
};

globalThis.answer = (job) => TRAIN_JOBS[job.job](job);
if (globalThis.process) {
  const { readFileSync } = await import("node:fs");
  process.stdout.write(JSON.stringify(globalThis.answer(JSON.parse(readFileSync(0, "utf-8")))));
}
