// Appended to net/digits.js: takes a NetworkDigits through steps, in Node, with a worker that only
// notes what it is sent, and that says what the steps let it say.
/* global NetworkDigits */

const sent = [];
class Silent extends EventTarget {
  constructor() {
    super();
    Silent.last = this;
  }
  postMessage({ order }) {
    if (order) sent.push({ ...order, noises: order.noises.map((noise) => Array.from(noise)) });
  }
  terminate() {}
}
globalThis.Worker = Silent;

const floats = (numbers) => numbers && Float32Array.from(numbers);
const { readFileSync } = await import("node:fs");
const { spec, file, steps } = JSON.parse(readFileSync(0, "utf-8"));
const { buffer } = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
const failed = [];
const digits = new NetworkDigits(
  spec,
  buffer,
  () => {},
  (error) => failed.push(error.message),
);
const DO = {
  draw: (seed) => digits.draw(seed),
  follow: (choice) => digits.follow(choice),
  repaint: (...place) => digits.repaint(...place),
  share: (share) => (digits.share = share),
  say: (said) =>
    Silent.last.onmessage({
      data: { run: digits.run, ...said, x: floats(said.x), v: floats(said.v) },
    }),
  // what a reader sees of a digit
  pixels: (i, view, share, of = "shown") => digits.pixels(digits[of][i], view, share),
  judgement: () => digits.judgement(),
  waiting: () => digits.waiting,
  orders: () => sent,
};
const plain = (answer) => (answer instanceof Float32Array ? Array.from(answer) : answer);
const answers = steps.map(([what, ...how]) => structuredClone(plain(DO[what](...how)) ?? null));
process.stdout.write(JSON.stringify({ answers, failed }));
