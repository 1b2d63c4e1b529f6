// Calls the export `run` of a module: node call_in_node.mjs FILE WARM_UP TIMED ROUNDS
// After WARM_UP calls it measures TIMED ones (none: the whole process is what counts, and one
// call is made), prints the result, and says on standard error `timed WALL CPU`, the medians
// in milliseconds. CPU counts all threads, so also those that collect and compile.
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

const [file, warmUp, timed, rounds] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(await readFile(file), {});
const { run } = instance.exports;

const first = run(Number(rounds));
const check = (result) => {
  if (result !== first) throw new Error(`a later call returned ${result}, the first ${first}`);
};
// Pauses let threads that compile hot functions finish.
for (let left = Number(warmUp); left > 1; left -= 1) {
  await pause(20);
  check(run(Number(rounds)));
}
await pause(Number(timed) > 0 ? 20 : 0);

const wall = [];
const cpu = [];
for (let left = Number(timed); left > 0; left -= 1) {
  const usage = process.cpuUsage();
  const start = performance.now();
  const result = run(Number(rounds));
  wall.push(performance.now() - start);
  const { user, system } = process.cpuUsage(usage);
  cpu.push((user + system) / 1000);
  check(result);
}
console.log(String(first));
if (wall.length > 0) {
  const median = (figures) => figures.sort((a, b) => a - b)[figures.length >> 1];
  console.error(`timed ${median(wall)} ${median(cpu)}`);
}
