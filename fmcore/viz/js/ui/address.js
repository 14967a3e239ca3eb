// What the reader set, as the part of an address behind "#": for whoever is sent it.
//
//   #playground&shape=two_moons&path=VP&hidden=32        what is left out is as the figure has it
//
// The points of a drawing are four letters each: x and y, each a number with two digits of base 36.

/** @typedef {import("../train/tab.js").PlaySpec} PlaySpec */
/** @typedef {import("../train/tab.js").PlayState} PlayState */

const NAME = "#playground";
const BASE = 36;
const CELLS = BASE * BASE - 1; // from one edge of the extent to the other

/** @type {(points: number[], extent: Box) => string} */
export const writePoints = (points, [low, high]) =>
  points
    .map((z) => Math.round(Math.min(Math.max((z - low) / (high - low), 0), 1) * CELLS))
    .map((cell) => cell.toString(BASE).padStart(2, "0"))
    .join("");

/** @type {(text: string, extent: Box) => number[] | null} null if they are damaged */
export function readPoints(text, [low, high]) {
  if (!/^([0-9a-z]{4})+$/.test(text)) return null;
  const cells = text.match(/../g) ?? [];
  return cells.map((cell) => low + (parseInt(cell, BASE) / CELLS) * (high - low));
}

/**
 * How each part of the state is read; undefined where it cannot be.
 * @type {(spec: PlaySpec) => Record<string, (text: string) => any>}
 */
function readers({
  shapes,
  paths,
  pairings,
  widths,
  rates,
  batches,
  averages,
  solvers,
  most_steps,
  extent,
  pen,
}) {
  // prettier-ignore
  /** @type {(list: (string | number)[]) => (text: string) => any} */
  const among = (list) => (text) => list.find((one) => String(one) === text);
  /** @param {{ id: string }[]} list */
  const ids = (list) => among(list.map(({ id }) => id));
  return {
    shape: among([...shapes.map(({ id }) => id), "drawn"]),
    points(text) {
      const points = readPoints(text, extent);
      const count = points ? points.length / 2 : 0;
      return count >= pen.fewest && count <= pen.most ? points : undefined;
    },
    path: ids(paths),
    pairing: ids(pairings),
    hidden: among(widths),
    lr: among(rates),
    batch: among(batches),
    average: among(averages),
    solver: ids(solvers),
    steps: among(Array.from({ length: most_steps }, (_, k) => k + 1)),
    seed: (text) => (/^\d{1,9}$/.test(text) ? Number(text) : undefined),
    views(text) {
      const names = text.split(".").filter(Boolean);
      return names.every((name) => VIEWS.includes(name))
        ? Object.fromEntries(VIEWS.map((name) => [name, names.includes(name)]))
        : undefined;
    },
  };
}

/** What can be shown. */
export const VIEWS = ["field", "particles", "error"];

/** @type {Record<string, (value: any, spec: PlaySpec) => string>} */
const WRITERS = {
  points: (points, { extent }) => writePoints(points, extent),
  views: (views) => VIEWS.filter((name) => views[name]).join("."),
};

/**
 * The state as the end of an address: what differs from the figure's own.
 * @type {(state: PlayState, own: PlayState, spec: PlaySpec) => string}
 */
export function writeHash(state, own, spec) {
  const parts = [NAME];
  for (const name of /** @type {(keyof PlayState)[]} */ (Object.keys(readers(spec)))) {
    const [now, before] = [state, own].map((one) => WRITERS[name]?.(one[name], spec) ?? String(one[name])); // prettier-ignore
    if (name === "points" ? state.shape === "drawn" : now !== before) parts.push(`${name}=${now}`);
  }
  return parts.length === 1 ? "" : parts.join("&");
}

/**
 * What an address asks for: the changes, and the names of what cannot be read. Of other pages'
 * addresses nothing.
 *
 * @param {string} address
 * @param {PlaySpec} spec
 * @returns {{ changes: Partial<PlayState>, damaged: string[] }}
 */
export function readHash(address, spec) {
  const hash = address.includes("#") ? address.slice(address.indexOf("#")) : "";
  /** @type {Record<string, any>} */
  const changes = {};
  const [name, ...parts] = hash.split("&");
  if (name !== NAME) return { changes, damaged: [] };
  const read = readers(spec);
  const damaged = parts.flatMap((part) => {
    const [key, text = ""] = part.split("=");
    const value = Object.hasOwn(read, key) ? read[key](text) : undefined;
    if (value === undefined) return [key];
    changes[key] = value;
    return [];
  });
  if (changes.shape === "drawn" && !changes.points) {
    delete changes.shape;
    if (!damaged.includes("points")) damaged.push("points");
  }
  return { changes, damaged };
}

/**
 * Calls onAddress(address, writable) with the address of the page, now or once the host of this frame
 * says it, and whenever it is changed by hand. Returns what writes the end of it, and what ends it.
 *
 * @param {(address: string, writable: boolean) => void} onAddress
 */
export function followAddress(onAddress) {
  const framed = window.parent !== window;
  /** @param {MessageEvent} event */
  const receive = ({ data, source }) => {
    if (source === window.parent && data?.fmAddress) onAddress(data.fmAddress, data.alone);
  };
  const changed = () => onAddress(location.href, true);
  if (framed) {
    window.addEventListener("message", receive);
    window.parent.postMessage({ fmFigure: "address?" }, "*");
  } else {
    window.addEventListener("hashchange", changed);
    changed();
  }
  return {
    /** @param {string} hash */
    write(hash) {
      if (framed) window.parent.postMessage({ fmFigure: "address", hash: hash || NAME }, "*");
      else if (hash || location.hash) history.replaceState(null, "", hash || NAME);
    },
    stop() {
      window.removeEventListener("message", receive);
      window.removeEventListener("hashchange", changed);
    },
  };
}
