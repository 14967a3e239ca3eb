// The drawing of a U-Net as buttons: each is a wire, and pressed it is cut.

import { button, make } from "./controls.js";

/**
 * @param {WireSpec["wires"]} wires
 * @param {number} levels
 * @param {(id: string) => void} onToggle
 * @param {() => void} onMend
 */
export function wireControls(wires, levels, onToggle, onMend) {
  const nodes = wires.map(({ id, text, place: [row, column, wide] }) => {
    const node = button(text, () => onToggle(id));
    if (!text.startsWith("block")) node.classList.add("fm-line");
    node.setAttribute(
      "aria-label",
      `Cut ${text}, ${row < levels ? `level ${row + 1}` : "the time"}`,
    );
    Object.assign(node.style, { gridRow: row + 1, gridColumn: `${column + 1} / span ${wide}` });
    return { id, node };
  });
  const mend = button("mend", onMend);
  mend.setAttribute("aria-label", "Mend all");
  Object.assign(mend.style, { gridRow: levels + 1, gridColumn: 2 * levels });
  // What comes up on the right, opposite of each way down.
  const up = Array.from({ length: levels - 1 }, (_, k) => {
    const node = make("span", { className: "fm-up", "aria-hidden": "true" }, "up");
    Object.assign(node.style, { gridRow: k + 2, gridColumn: 2 * levels - k });
    return node;
  });
  const drawing = make("div", {
    className: "fm-wires",
    role: "group",
    "aria-label": "The network",
  });
  drawing.style.setProperty("--columns", `${2 * levels}`);
  drawing.append(...nodes.map(({ node }) => node), ...up, mend);
  return {
    node: drawing,
    /** @param {string[]} cut */
    update(cut) {
      mend.disabled = !cut.length;
      for (const { id, node } of nodes) node.setAttribute("aria-pressed", String(cut.includes(id)));
    },
  };
}
