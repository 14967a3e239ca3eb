// Appended to the scripts of the worker: answers a job about a network, in Node and in a page.
/* global readNetwork, buildNetwork, follow, fromHalf, guided, judged */

const floats = (numbers) => Float32Array.from(numbers);
const opened = ({ file, height, width, kinds }) => {
  const { buffer } = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
  return buildNetwork(readNetwork(buffer), height, width, kinds);
};
const JOBS = {
  // v(x, t, label) of each x in turn, and the kind of kernels that computed it
  velocity(job) {
    const { velocity, kind } = opened(job);
    const v = job.x.map((x, i) =>
      Array.from(velocity(floats(x), job.t[i], job.label?.[i] ?? null)),
    );
    return { v, kind };
  },
  // every state of each noise
  follow(job) {
    const { velocity } = opened(job);
    let nfe = 0;
    const { field, calls } = guided(velocity, job.label, job.guidance);
    const counted = (x, t) => ((nfe += 1), field(x, t));
    const states = job.x.map((x) =>
      [...follow(counted, job.tableau, floats(x), job.steps)].map((state) => Array.from(state.x)),
    );
    return { states, nfe: nfe / job.x.length, calls };
  },
  judge(job) {
    const { velocity } = opened(job);
    return job.x.map((x) => judged(velocity, floats(x)));
  },
  // what each of the 65,536 halves is
  halves: () => Array.from(fromHalf(Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits))),
  // CPU seconds of so many evaluations, one after the other
  time(job) {
    const { velocity } = opened(job);
    const x = floats(job.x[0]);
    return Array.from({ length: job.count }, (_, i) => {
      const begun = process.cpuUsage().user;
      velocity(x, i / job.count);
      return (process.cpuUsage().user - begun) / 1e6;
    });
  },
};

globalThis.answer = (job) => {
  try {
    return JOBS[job.job](job);
  } catch (error) {
    return { error: error.message };
  }
};
if (globalThis.process) {
  const { readFileSync } = await import("node:fs");
  process.stdout.write(JSON.stringify(globalThis.answer(JSON.parse(readFileSync(0, "utf-8")))));
}
