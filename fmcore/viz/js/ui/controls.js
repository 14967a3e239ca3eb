// Native controls with labels: whatever the browser knows of keyboards, touch and readers, it keeps.

/** An element with properties (or attributes, where the name has a dash) and children. */
export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

const label = (text, className, ...children) =>
  make("label", { className: `fm-control ${className}` }, make("span", {}, text), ...children);

/** options: [value, text] pairs. */
export function select(text, options, value, tell) {
  const input = make("select", { "aria-label": text }, ...options.map(([v, name]) => new Option(name, v)));
  input.value = value;
  input.addEventListener("change", () => tell(input.value));
  return label(text, "fm-select", input);
}

/** show(value) is what stands behind the slider, and what a screen reader says. */
export function range(text, { min, max, step }, value, show, tell) {
  const input = make("input", { type: "range", min, max, step, "aria-label": text });
  const output = make("output");
  const set = (v) => {
    if (Number(input.value) !== v) input.value = v;
    output.textContent = show(v);
    input.setAttribute("aria-valuetext", show(v));
  };
  set(value);
  input.addEventListener("input", () => {
    set(Number(input.value));
    tell(Number(input.value));
  });
  return { node: label(text, "fm-range", input, output), set };
}

export function check(text, value, tell) {
  const input = make("input", { type: "checkbox", checked: value });
  input.addEventListener("change", () => tell(input.checked));
  return make("label", { className: "fm-control fm-check" }, input, make("span", {}, text));
}

export function button(text, tell) {
  const node = make("button", { type: "button", className: "fm-button" }, text);
  node.addEventListener("click", tell);
  return node;
}

const ICONS = { play: "M4 2.5v11l9.5-5.5z", pause: "M3.5 2.5h3v11h-3zm6 0h3v11h-3z" };

/** Play and pause: one button that says what it will do; set(playing) tells it. */
export function playButton(playing, tell) {
  const node = button("", tell);
  node.classList.add("fm-play");
  node.innerHTML = '<svg viewBox="0 0 16 16" aria-hidden="true"><path></path></svg>';
  node.set = (now) => {
    node.querySelector("path").setAttribute("d", now ? ICONS.pause : ICONS.play);
    node.setAttribute("aria-label", now ? "Pause" : "Play");
  };
  node.set(playing);
  return node;
}
