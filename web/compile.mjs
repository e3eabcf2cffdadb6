// node compile.mjs PYODIDE STAGE PACKS: what Python needs in the browser, compiled by the Python that will run it.
//
// STAGE/lib has the sources, STAGE/cases.json messages with the answers that CPython gives. Every message is answered
// here from the compiled files; an answer that differs ends the build. What was imported becomes core.pack and
// python_stdlib.zip, all else rest.pack, which the worker fetches where it is asked for more.
import { readFileSync, writeFileSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Buffer } from "node:buffer";

const [pyodideFolder, stage, packs] = process.argv.slice(2).map((path) => resolve(path));
const { loadPyodide } = await import(pathToFileURL(join(pyodideFolder, "pyodide.mjs")).href);
mkdirSync(packs, { recursive: true });

const said = (what) => console.error(`${what} (${Math.round(performance.now() / 1000)} s)`);

async function start(options = {}) {
  const python = await loadPyodide({ indexURL: pyodideFolder, ...options });
  python.FS.mkdirTree("/stage");
  python.FS.mount(python.FS.filesystems.NODEFS, { root: stage }, "/stage");
  return python;
}

// -- every source as a .pyc without a source, docstrings left out of what is not ours
const COMPILE = `
import importlib._bootstrap_external as bootstrap, os, sys, warnings, zipfile
warnings.simplefilter("ignore")

def compiled(source, path, ours):
    code = compile(source, path, "exec", dont_inherit=True, optimize=0 if ours else 2)
    return bytes(bootstrap._code_to_hash_pyc(code, bytes(8), False))

def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)

def read(path):
    with open(path, "rb") as file:
        return file.read()

for folder, _, files in sorted(os.walk("/stage/lib")):
    for name in sorted(files):
        path = os.path.join(folder, name)
        inside = path.removeprefix("/stage/lib/")
        as_text = inside.startswith("symbackprop/codegen/helpers/") and name != "__init__.py"
        if name.endswith(".py") and not as_text:
            write("/app/" + inside + "c", compiled(read(path), inside, inside.startswith("symbackprop/")))
        else:
            write("/app/" + inside, read(path))

with zipfile.ZipFile("/lib/python314.zip") as library:
    for name in sorted(library.namelist()):
        if name.endswith(".py"):
            write("/std/" + name + "c", compiled(library.read(name), name, False))
        elif not name.endswith("/"):
            write("/std/" + name, library.read(name))
`;

// -- the answers, from the compiled files
const ANSWER = `
import json, sys
sys.path.insert(0, "/app")
before = {*sys.modules}
from symbackprop.playground import reply

def unlike(case):
    case = json.loads(case)
    told = json.loads(reply(json.dumps(case["message"])))
    return told != case["answer"]

def used():
    found = []
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if file.endswith(".pyc"):
            found.append(file)
    return json.dumps(found)
`;

const first = await start();
first.runPython(COMPILE);
said("compiled");

const files = (python, folder) => {
  const found = [];
  const walk = (path) => {
    for (const name of python.FS.readdir(path).sort()) {
      if (name === "." || name === "..") { continue; }
      const inner = `${path}/${name}`;
      if (python.FS.isDir(python.FS.stat(inner).mode)) { walk(inner); } else { found.push(inner); }
    }
  };
  walk(folder);
  return found;
};

const read = (path) => Buffer.from(first.FS.readFile(path));
const library = new Map(files(first, "/std").map((path) => [path.slice("/std/".length), read(path)]));
const app = new Map(files(first, "/app").map((path) => [path.slice("/app/".length), read(path)]));

// An archive for zipimport, its members stored: what serves the files compresses them.
function zip(members) {
  const table = Array.from({ length: 256 }, (_, n) => {
    for (let k = 0; k < 8; k++) { n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1; }
    return n >>> 0;
  });
  const crc = (bytes) => { let c = ~0; for (const b of bytes) { c = table[(c ^ b) & 255] ^ (c >>> 8); } return ~c >>> 0; };
  const local = [], central = [];
  let offset = 0;
  for (const [name, bytes] of members) {
    const path = Buffer.from(name), common = Buffer.alloc(26);
    common.writeUInt16LE(10, 0);
    common.writeUInt16LE(0x21, 8); // the first of January 1980
    common.writeUInt32LE(crc(bytes), 10);
    common.writeUInt32LE(bytes.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(path.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    central.push(Buffer.from("PK\x01\x02\x0a\x00", "latin1"), common, place, path);
    local.push(Buffer.from("PK\x03\x04", "latin1"), common, path, bytes);
    offset += 4 + common.length + path.length + bytes.length;
  }
  const directory = Buffer.concat(central), end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...local, directory, end]);
}

// A pack: the length of its list, the list [[path, size], …] as JSON, the files.
function pack(members) {
  const list = Buffer.from(JSON.stringify(members.map(([path, bytes]) => [path, bytes.length])));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(list.length);
  return Buffer.concat([length, list, ...members.map(([, bytes]) => bytes)]);
}

// A second Python starts from the compiled library, as in the browser.
writeFileSync(join(packs, "python_stdlib.zip"), zip([...library]));
const python = await start({ stdLibURL: join(packs, "python_stdlib.zip") });
for (const [path, bytes] of app) {
  python.FS.mkdirTree(`/app/${path}`.replace(/\/[^/]*$/, ""));
  python.FS.writeFile(`/app/${path}`, bytes);
}
python.runPython(ANSWER);
const unlike = python.globals.get("unlike");
const cases = JSON.parse(readFileSync(join(stage, "cases.json"), "utf-8"));
const wrong = cases.filter((one) => unlike(JSON.stringify(one)));
for (const { message } of wrong) {
  console.error(`differs: ${message.job} ${JSON.stringify(message.options)} ${message.text.split("\n")[0]}`);
}
said(`${cases.length} answers compared with CPython's, ${wrong.length} differ`);
if (wrong.length) { process.exit(1); }

const used = new Set(JSON.parse(python.globals.get("used")()));
const isCore = (folder) => ([path]) => !path.endsWith(".pyc") || used.has(`${folder}/${path}`);
const parted = (members, folder) => [true, false].map((core) => [...members].filter((one) => isCore(folder)(one) === core));
const [core, restOfApp] = parted(app, "/app");
const [std, restOfLibrary] = parted(library, "/lib/python314.zip");
const rest = [...restOfApp, ...restOfLibrary];
const compare = ([a], [b]) => (a < b ? -1 : 1);
writeFileSync(join(packs, "python_stdlib.zip"), zip(std));
writeFileSync(join(packs, "core.pack"), pack(core.sort(compare)));
writeFileSync(join(packs, "rest.pack"), pack(rest.sort(compare)));
said(`core ${core.length} files, standard library ${std.length}, rest ${rest.length}`);
process.exit(0);
