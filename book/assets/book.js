// What the pages of the book do beyond their theme: folds open for who is sent into them, paper is
// light and shows everything, and a formula is copied, and quoted by the search, once.

/* global Search, SphinxHighlight */

// ---- folds: solutions, whose button is sphinx-togglebutton's, and <details>

/** Opens all folds around a node. */
function unfold(node) {
  for (let at = node; at; at = at.parentElement) {
    if (at.matches("details")) at.open = true;
    if (at.matches(".toggle-hidden")) at.querySelector(".toggle-button").click();
  }
}

function unfoldTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target?.closest("details, .toggle-hidden")) return;
  unfold(target);
  target.scrollIntoView();
}

/** The browser finds text that is "until-found", and says before it shows a match. */
function letFind(solution) {
  const mark = () => {
    const folded = solution.classList.contains("toggle-hidden");
    for (const part of solution.querySelectorAll(":scope > .admonition-title ~ *")) {
      if (folded) part.setAttribute("hidden", "until-found");
      else part.removeAttribute("hidden");
    }
  };
  mark();
  new MutationObserver(mark).observe(solution, { attributeFilter: ["class"] });
  solution.addEventListener("beforematch", ({ target }) => unfold(target));
}

window.addEventListener("load", () => {
  document.querySelectorAll(".admonition.toggle").forEach(letFind);
  // The theme has Sphinx's search on every page, for which Sphinx would mark no hits. It does so
  // after 10 milliseconds.
  if (!document.getElementById("search-results")) SphinxHighlight.highlightSearchWords();
  setTimeout(() => document.querySelectorAll(".highlighted").forEach(unfold), 50);
  unfoldTarget();
});
window.addEventListener("hashchange", unfoldTarget);

// ---- paper

let restore = () => {};
document.addEventListener("click", ({ target }) => {
  if (target.closest("[data-print]")) window.print();
});
window.addEventListener("beforeprint", () => {
  for (const image of document.images) image.loading = "eager";
  const { dataset } = document.documentElement;
  const { theme } = dataset;
  const folded = document.querySelectorAll("details:not([open])");
  dataset.theme = "light";
  for (const one of folded) one.open = true;
  restore = () => {
    dataset.theme = theme;
    for (const one of folded) one.open = false;
  };
});
window.addEventListener("afterprint", () => restore());

// ---- formulas: KaTeX writes each twice, for the eye and for screen readers

/** Puts the TeX of each formula in its place. */
function writeTex(root) {
  for (const formula of root.querySelectorAll(".katex")) {
    const tex = formula.querySelector("annotation")?.textContent;
    const sign = formula.closest(".katex-display") ? "$$" : "$";
    if (tex) formula.replaceWith(`${sign}${tex}${sign}`);
  }
}

document.addEventListener("copy", (event) => {
  const selection = getSelection();
  if (!selection.rangeCount) return;
  const range = selection.getRangeAt(0).cloneRange();
  // Half a formula is a formula.
  const around = (node) => (node.nodeType === 1 ? node : node.parentElement)?.closest(".katex");
  const [first, last] = [around(range.startContainer), around(range.endContainer)];
  if (first) range.setStartBefore(first);
  if (last) range.setEndAfter(last);
  const copy = document.createElement("div");
  copy.append(range.cloneContents());
  if (!copy.querySelector(".katex")) return;
  writeTex(copy);
  copy.style.cssText = "position:fixed;left:-9999px";
  document.body.append(copy); // its lines break as on the page
  event.clipboardData.setData("text/plain", copy.innerText);
  event.clipboardData.setData("text/html", copy.innerHTML);
  event.preventDefault();
  copy.remove();
});

document.addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") return;
  const { htmlToText } = Search;
  Search.htmlToText = (html, anchor) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    writeTex(page);
    return htmlToText(page.documentElement.outerHTML, anchor);
  };
});

// What unfolds a part of the contents has no name of its own.
document.addEventListener("DOMContentLoaded", () => {
  for (const summary of document.querySelectorAll(".bd-sidebar-primary summary")) {
    summary.setAttribute("aria-label", "Pages of this part");
  }
});
