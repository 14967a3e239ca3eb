// Appended to the scripts of the wires' worker: digits by a network with wires cut, for each order.
/* global readNetwork, buildNetwork, cut, wireTrips */
import { readFileSync } from "node:fs";

const { file, height, width, kinds, orders } = JSON.parse(readFileSync(0, "utf-8"));
const { buffer } = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
const given = readNetwork(buffer);
const beforehand = JSON.stringify(given.layout);
const digits = orders.map((order) => {
  const { velocity } = buildNetwork(cut(given, order.wires), height, width, kinds);
  const noises = order.noises.map((x) => Float32Array.from(x));
  return wireTrips({ ...order, noises }).map(({ label, states }) =>
    Array.from([...states((x, t) => velocity(x, t, label))].pop().x),
  );
});
const untouched = JSON.stringify(given.layout) === beforehand;
process.stdout.write(JSON.stringify({ digits, untouched }));
