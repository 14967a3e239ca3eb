// Light and dark: who decides, and the few colours that differ.

import { pageTheme, watchPage } from "./host.js";

const LOOKS = {
  light: { stage: "#f5f7f8", ink: "#26292d", quiet: "#6b7178", fieldOpacity: 0.58 },
  dark: { stage: "#161b21", ink: "#e3e6ea", quiet: "#9299a2", fieldOpacity: 0.7 },
};

/** The colours of a theme, together with those that mean something in this book. */
export function look(theme, colors) {
  return { ...colors, ...LOOKS[theme] };
}

/** Calls tell("light" | "dark") now and on each change. Returns what ends it. */
export function followTheme(tell) {
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const framed = window.parent !== window;
  let told = null;
  const decide = () => {
    const theme = told ?? pageTheme() ?? (system.matches ? "dark" : "light");
    if (framed) document.documentElement.style.colorScheme = theme;
    tell(theme);
  };
  const hear = ({ data, source }) => {
    if (source !== window.parent || !data || !("fmTheme" in data)) return;
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
