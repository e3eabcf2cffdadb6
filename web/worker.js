// Python, in a thread of its own. In: {id, job, text, options}. Out: {id, ok, result | error, ms}, and {ready} at first.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const at = (name) => new URL(name, import.meta.url).href;

async function fetched(name) {
  const response = await fetch(at(name));
  if (!response.ok) { throw new Error(`${name} cannot be loaded: ${response.status}`); }
  return new Uint8Array(await response.arrayBuffer());
}

// A pack: the length of its list, the list [[path, size], …] as JSON, the files.
function unpack(python, bytes) {
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const list = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const made = new Set();
  let start = 4 + length;
  for (const [path, size] of list) {
    const whole = `/app/${path}`, folder = whole.slice(0, whole.lastIndexOf("/"));
    if (!made.has(folder)) { python.FS.mkdirTree(folder); made.add(folder); }
    python.FS.writeFile(whole, bytes.subarray(start, start + size), { canOwn: true });
    start += size;
  }
}

const START = `
import gc, sys
gc.disable()
sys.path.insert(0, "/app")
from symbackprop.playground import reply
gc.freeze()  # what is imported stays: no collection looks at it
gc.enable()
reply
`;

async function start() {
  const core = fetched("./core.pack");
  const python = await loadPyodide({
    indexURL: at("./pyodide/"),
    stdLibURL: at("./python_stdlib.zip"),
    lockFileContents: "LOCK", // there are no packages to install
    packageBaseUrl: at("./"),
    stdout: () => {},
    stderr: () => {},
  });
  unpack(python, await core);
  return { python, reply: python.runPython(START), whole: false };
}

// What no built-in model needs is fetched when Python asks for it.
async function answered(running, message) {
  try {
    return JSON.parse(running.reply(message));
  } catch (error) {
    if (error.type !== "ModuleNotFoundError" || running.whole) { throw error; }
    unpack(running.python, await fetched("./rest.pack"));
    running.python.runPython("import importlib; importlib.invalidate_caches()");
    running.whole = true;
    return answered(running, message);
  }
}

const running = start();
running.then(() => postMessage({ ready: true }), (error) => postMessage({ failed: String(error.message || error) }));

onmessage = async ({ data: { id, ...message } }) => {
  const began = performance.now();
  let answer;
  try {
    answer = await answered(await running, JSON.stringify(message));
  } catch (error) {
    const lines = String(error.message || error).trim().split("\n");
    answer = { ok: false, error: { kind: "internal error", message: lines[lines.length - 1], line: 0, column: 0, end: 0,
      shown: [], others: [], told: `internal error: ${lines[lines.length - 1]}` }, broken: error.type === undefined };
  }
  postMessage({ id, ms: Math.round(performance.now() - began), ...answer });
};
