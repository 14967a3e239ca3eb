// Mouse, finger and pen on the stage, and the keys on the starting point's handle.
//
// A finger that moves over the stage scrolls the page; it is a tap that speaks to the figure, and the
// handle that can be dragged.

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const STILL = 8; // pixels a tap may move

/** tell.start([x, y]) moves the starting point; tell.hover([x, y] | null) asks for the field. */
export function listen(stage, handle, camera, tell) {
  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return camera.plane(event.clientX - box.left, event.clientY - box.top);
  };
  let down = null;
  stage.addEventListener("pointerdown", (event) => (down = event));
  stage.addEventListener("pointerup", (event) => {
    const moved = down && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY);
    if (down && moved < STILL) {
      tell.start(place(event));
      if (event.pointerType !== "mouse") tell.hover(place(event));
    }
    down = null;
  });
  stage.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch") tell.hover(place(event));
  });
  stage.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch") tell.hover(null);
  });
  stage.addEventListener("pointercancel", () => {
    down = null;
    tell.hover(null);
  });

  const hold = (event) => event.stopPropagation(); // what happens on the handle is not a tap
  for (const name of ["pointerup", "pointermove"]) handle.addEventListener(name, hold);
  handle.addEventListener("pointerdown", (event) => {
    hold(event);
    handle.setPointerCapture(event.pointerId);
    tell.hover(null);
  });
  handle.addEventListener("pointermove", (event) => {
    if (handle.hasPointerCapture(event.pointerId)) tell.start(place(event));
  });
  handle.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const size = ((camera.extent[1] - camera.extent[0]) / 60) * (event.shiftKey ? 5 : 1);
    tell.start(step.map((s) => s * size), true);
  });
}
