// Light and dark: the few colours that differ.

import { blend } from "./draw.js";

/** lift: how far the colours that mean something are blended with white. */
const LOOKS = {
  light: { stage: "#f5f7f8", ink: "#26292d", quiet: "#6b7178", air: 0.5, trail: 0.75, lift: 0 },
  dark: { stage: "#12171d", ink: "#e3e6ea", quiet: "#9299a2", air: 0.6, trail: 0.9, lift: 0.22 },
};
const SHADES = 64; // between source and target

/**
 * The colours of a theme, together with those that mean something in this book.
 * @param {Theme} theme
 * @param {Colors} colors
 * @returns {Look & Colors}
 */
export function makeLook(theme, colors) {
  const { lift, ...rest } = LOOKS[theme];
  /** @param {string} color */
  const tint = (color) => blend([color, "#ffffff"], lift);
  const own = {
    source: tint(colors.source),
    path: tint(colors.path),
    target: tint(colors.target),
    field: tint(colors.field),
  };
  const route = [own.source, own.path, own.target];
  const table = Array.from({ length: SHADES + 1 }, (_, i) => blend(route, i / SHADES));
  return {
    theme,
    ...own,
    ...rest,
    tint,
    timeColor: (share) => table[Math.round(Math.min(Math.max(share, 0), 1) * SHADES)],
  };
}
