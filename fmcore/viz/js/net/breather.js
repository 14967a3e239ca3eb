// A worker that computes hears nothing; in between it may let messages in that have arrived.

/** Returns what does so, a promise each time. */
export function breather() {
  const { port1, port2 } = new MessageChannel();
  return () =>
    new Promise((done) => {
      port1.onmessage = done;
      port2.postMessage(0);
    });
}
