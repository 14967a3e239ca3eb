// Appended to the scripts of the hand: answers a job about a deed, or about ink on a sheet.
/* global readNetwork, buildNetwork, guided, pathOf, edited, encoded, inpainted, keptOf, slerped */
/* global handTrips, inkLine, inkOf, centred, upperHalf */
import { readFileSync } from "node:fs";

const floats = (numbers) => Float32Array.from(numbers);
const rows = (pictures, f) => pictures.map((x, i) => Array.from(f(floats(x), i)));

function deeds({ deed, file, height, width, kinds, label, path, tableau, steps, t, x, noises }) {
  const { buffer } = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
  const { velocity } = buildNetwork(readNetwork(buffer), height, width, kinds ?? undefined);
  const { field } = guided(velocity, label, 1);
  return rows(x, (one, i) => {
    const [mine] = [noises[i].map(floats)];
    const means = { path: pathOf(path), tableau, draw: () => mine.shift() };
    if (deed === "encode") {
      const states = encoded(field, means, one, t, steps);
      for (;;) {
        const { done, value } = states.next();
        if (done) return value;
      }
    }
    const states =
      deed === "edit"
        ? edited(field, means, one, t, steps)
        : inpainted(field, means, one, keptOf(one, width), steps);
    return [...states].pop().x;
  });
}

const INK = {
  lines({ lines, width, height }) {
    const sheet = new Float32Array(width * height).fill(-1);
    for (const [from, to] of lines) inkLine(sheet, { width, height }, from, to);
    return Array.from(sheet);
  },
  of: ({ x, ...size }) => x.map((one) => inkOf(floats(one), size)),
  centred: ({ x, ...size }) => rows(x, (one) => centred(one, size)),
  half: ({ x }) => rows(x, upperHalf),
};

const DEEDS = {
  slerp: ({ x, y, s }) => rows(x, (one, i) => slerped(one, floats(y[i]), s)),
  kept: ({ x, width }) => rows(x, (one) => keptOf(one, width)),
  trips({ order }) {
    const drawing = new Float32Array(4);
    const trips = handTrips({ ...order, drawing, width: 2, path: { kind: "CosinePath" } });
    return trips.map(({ image }) => image);
  },
};

function answer(job) {
  if (job.ink) return INK[job.ink](job);
  if (DEEDS[job.deed]) return DEEDS[job.deed](job);
  return { x: deeds(job) };
}

let said;
try {
  said = answer(JSON.parse(readFileSync(0, "utf-8")));
} catch (error) {
  said = { error: error.message };
}
process.stdout.write(JSON.stringify(said));
