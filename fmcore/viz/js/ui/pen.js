// The pen on a sheet: mouse, finger or pen draw lines. A finger on the sheet does not scroll the page
// (`touch-action` of .fm-sheet and .fm-drawing).

/**
 * @param {{ canvas: HTMLElement, point: (event: PointerEvent) => Point }} sheet
 * @param {object} listener
 * @param {() => void} listener.onStart  a line begins
 * @param {(from: Point, to: Point) => void} listener.onLine  a piece of it, between points of the sheet
 * @param {() => void} listener.onEnd
 */
export function listenToPen(sheet, { onStart, onLine, onEnd }) {
  const { canvas } = sheet;
  /** @type {{ id: number, at: Point } | null} the pointer that draws */
  let pen = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (pen || event.button !== 0) return;
    event.preventDefault(); // no selection, and the focus stays where it is
    canvas.setPointerCapture(event.pointerId);
    pen = { id: event.pointerId, at: sheet.point(event) };
    onStart();
    onLine(pen.at, pen.at);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pen?.id) return;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const one of all.length ? all : [event]) {
      const at = sheet.point(one);
      onLine(pen.at, at);
      pen.at = at;
    }
  });
  /** @param {PointerEvent} event */
  const end = (event) => {
    if (event.pointerId !== pen?.id) return;
    pen = null;
    onEnd();
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
}
