// Says hello and sums squares, to show that strings and numbers arrive.
let sum: u64 = 0;
for (let i: u64 = 0; i < 1000; i++) sum += i * i;
console.log("hello, " + sum.toString());
