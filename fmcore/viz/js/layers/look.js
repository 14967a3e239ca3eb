// Light and dark: who decides, and the few colours that differ.

import { blend } from "./draw.js";
import { pageTheme, watchPage } from "../host/page_theme.js";

const LOOKS = {
  light: { stage: "#f5f7f8", ink: "#26292d", quiet: "#6b7178", air: 0.5, trail: 0.75, lift: 0 },
  dark: { stage: "#12171d", ink: "#e3e6ea", quiet: "#9299a2", air: 0.6, trail: 0.9, lift: 0.22 },
};

/** The colours of a theme, together with those that mean something in this book. */
export function look(theme, colors) {
  const { lift, ...rest } = LOOKS[theme];
  const tint = (color) => blend([color, "#ffffff"], lift);
  const own = Object.fromEntries(Object.entries(colors).map(([name, color]) => [name, tint(color)]));
  // The colour of a particle on its way from the source to the target.
  const way = [own.source, own.path, own.target];
  const table = Array.from({ length: 65 }, (_, i) => blend(way, i / 64));
  const voyage = (share) => table[Math.round(Math.min(Math.max(share, 0), 1) * 64)];
  return { theme, ...own, ...rest, tint, voyage };
}

/** Calls tell("light" | "dark") now and on each change. Returns what ends it. */
export function followTheme(tell) {
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const framed = window.parent !== window;
  let told = null;
  const decide = () => {
    const theme = told ?? (framed ? null : pageTheme()) ?? (system.matches ? "dark" : "light");
    if (framed) document.documentElement.style.colorScheme = theme;
    tell(theme);
  };
  const hear = ({ data, source }) => {
    if (source !== window.parent || data?.fmTheme === undefined) return;
    told = data.fmTheme;
    decide();
  };
  decide();
  system.addEventListener("change", decide);
  const unwatch = watchPage(decide);
  if (framed) {
    window.addEventListener("message", hear);
    window.parent.postMessage({ fmFigure: "theme?" }, "*");
  }
  return () => {
    system.removeEventListener("change", decide);
    window.removeEventListener("message", hear);
    unwatch();
  };
}
