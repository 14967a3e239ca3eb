// Figures of digits: what their host needs of them.

/**
 * What the host needs of a figure that a player draws on paper, whose colours are the same in the
 * light and in the dark.
 *
 * @param {HTMLElement} node
 * @param {import("./player.js").Player} player
 * @param {() => void} stop  what else ends with the figure
 * @returns {Mounted}
 */
export const mounted = (node, player, stop) => ({
  node,
  resize: () => player.requestPaint(),
  show: (visible) => player.show(visible),
  theme: () => {},
  stop: () => {
    player.stop();
    stop();
  },
});
