// Calls the export `run` of a module that looks at the clock: node pauses_in_node.mjs FILE CALLS ROUNDS
// Prints what the last call answers: those before let the optimizing compiler take effect.
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

const [file, calls, rounds] = process.argv.slice(2);
let time;
const clock_time_get = (id, precision, at) => {
  time.setBigUint64(at, process.hrtime.bigint(), true);
  return 0;
};
const imports = { wasi_snapshot_preview1: { clock_time_get } };
const { instance } = await WebAssembly.instantiate(await readFile(file), imports);
time = new DataView(instance.exports.memory.buffer);

let longest;
for (let left = Number(calls); left > 0; left -= 1) {
  longest = instance.exports.run(Number(rounds));
  await pause(20);
}
console.log(String(longest));
