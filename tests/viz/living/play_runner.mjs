// Appended to the scripts of the playground: answers a job about addresses, files and Python.
/* global unpack, readHash, writeHash, readPoints, writePoints, weightsFile, inPython, Training */
import { readFileSync } from "node:fs";

const PLAY_JOBS = {
  read: ({ address, spec }) => readHash(address, spec),
  write: ({ state, own, spec }) => writeHash(state, own, spec),
  points: ({ points, extent }) => readPoints(writePoints(points, extent), extent),
  // how many reports of each run are kept, of those that come while the second is trained
  runs({ spec, state, runs }) {
    globalThis.Worker = class extends EventTarget {
      postMessage() {}
    };
    const training = new Training(spec, () => {}, () => {}); // prettier-ignore
    training.begin(state);
    training.begin(state);
    for (const run of runs) {
      training.worker.onmessage({ data: { run, diverged: null, weights: [] } });
    }
    return training.reports.map(({ run }) => run);
  },
  python: ({ spec, state }) => inPython(spec, state),
  file({ spec, state, weights, step }) {
    const file = weightsFile(spec, state, weights.map((one) => Float32Array.from(one)), step); // prettier-ignore
    return Buffer.from(file).toString("base64");
  },
};
const job = unpack(JSON.parse(readFileSync(0, "utf-8")));
process.stdout.write(JSON.stringify(PLAY_JOBS[job.job](job)));
