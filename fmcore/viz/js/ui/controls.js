// Native controls with labels: whatever the browser knows of keyboards, touch and readers, it keeps.

/**
 * An element with properties (or attributes, where the name has a dash) and children.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} properties
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") node.setAttribute(name, value);
    else /** @type {any} */ (node)[name] = value;
  }
  node.append(...children);
  return node;
}

/**
 * Sets a text where it differs: one that stays the same is neither laid out nor read out again.
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** @type {(text: string, className: string, ...children: Node[]) => HTMLElement} */
const label = (text, className, ...children) =>
  make("label", { className: `fm-control ${className}` }, make("span", {}, text), ...children);

/**
 * options: [value, text] pairs.
 * @param {string} text
 * @param {[string, string][]} options
 * @param {string} value
 * @param {(value: string) => void} onChange
 */
export function select(text, options, value, onChange) {
  const nodes = options.map(([id, name]) => new Option(name, id));
  const input = make("select", { "aria-label": text }, ...nodes);
  input.value = value;
  input.addEventListener("change", () => onChange(input.value));
  return label(text, "fm-select", input);
}

/**
 * describe(value) is what stands behind the slider, and what a screen reader says.
 * @param {string} text
 * @param {{ min: number, max: number, step: number }} limits
 * @param {number} value
 * @param {(value: number) => string} describe
 * @param {(value: number) => void} onChange
 */
export function range(text, { min, max, step }, value, describe, onChange) {
  const input = make("input", { type: "range", min, max, step, "aria-label": text });
  const output = make("output");
  /** @param {number} now */
  const set = (now) => {
    if (Number(input.value) !== now) input.value = String(now);
    output.textContent = describe(now);
    input.setAttribute("aria-valuetext", describe(now));
  };
  set(value);
  input.addEventListener("input", () => {
    set(Number(input.value));
    onChange(Number(input.value));
  });
  return { node: label(text, "fm-range", input, output), set };
}

/**
 * @param {string} text
 * @param {boolean} checked
 * @param {(checked: boolean) => void} onChange
 */
export function check(text, checked, onChange) {
  const input = make("input", { type: "checkbox", checked });
  input.addEventListener("change", () => onChange(input.checked));
  return make("label", { className: "fm-control fm-check" }, input, make("span", {}, text));
}

/**
 * @param {string} text
 * @param {() => void} onClick
 */
export function button(text, onClick) {
  const node = make("button", { type: "button", className: "fm-button" }, text);
  node.addEventListener("click", onClick);
  return node;
}

const ICONS = { play: "M4 2.5v11l9.5-5.5z", pause: "M3.5 2.5h3v11h-3zm6 0h3v11h-3z" };

/**
 * One button that says what it will do, play or pause, and the share of the whole time. A hand on
 * the time stops it.
 * @param {{ share: number, playing: boolean }} state  as it is now, whenever that is
 * @param {(share: number) => string} describe
 * @param {(changes: { share: number, playing: false }) => void} onChange
 * @param {() => void} onPlay
 */
export function timeControls(state, describe, onChange, onPlay) {
  const play = button("", onPlay);
  play.classList.add("fm-play");
  play.innerHTML = '<svg viewBox="0 0 16 16" aria-hidden="true"><path></path></svg>';
  const icon = /** @type {Element} */ (play.querySelector("path"));
  const limits = { min: 0, max: 1, step: 0.01 };
  const time = range("Time", limits, state.share, describe, (share) =>
    onChange({ share, playing: false }),
  );
  /** Shows what changes by itself while it plays. */
  const update = () => {
    time.set(state.share);
    icon.setAttribute("d", state.playing ? ICONS.pause : ICONS.play);
    play.setAttribute("aria-label", state.playing ? "Pause" : "Play");
  };
  update();
  return { nodes: [play, time.node], update };
}
