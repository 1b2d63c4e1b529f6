// Runs a WASI preview 1 command in Node: node run_in_node.mjs FILE [ARGUMENT…]
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { WASI } from 'node:wasi';

const [file, ...guestArguments] = process.argv.slice(2);
const wasi = new WASI({ version: 'preview1', args: [basename(file), ...guestArguments] });
const module = await WebAssembly.compile(await readFile(file));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
process.exit(wasi.start(instance));
