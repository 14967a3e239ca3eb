// A worker whose script is a text of this page: a figure makes no request.

/**
 * @param {string} script
 * @param {(said: any) => void} onHear  what the worker says, but for what has failed
 * @param {(error: Error) => void} onFail
 */
export function startWorker(script, onHear, onFail) {
  const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const worker = new Worker(address);
  worker.onerror = (event) => {
    event.preventDefault();
    onFail(new Error("this page allows no worker"));
  };
  worker.onmessage = ({ data }) => {
    if (data.failed) onFail(new Error(data.failed));
    else onHear(data);
  };
  const loaded = () => URL.revokeObjectURL(address); // a script that speaks is there
  worker.addEventListener("message", loaded, { once: true });
  return worker;
}
