;; An interpreter of a small language on a stack. A number pushes itself; `+`, `-`, `*` take two and
;; push one; `d` pushes what is on top once more; `p` takes n and pushes the nth prime number;
;; `:X text;` defines the word X, a capital letter.
(module
  (memory (export "memory") 32)
  ;; 0: where the text of each word begins and ends. 1024: the stack. 1 MiB: a byte for each number
  ;; below a million, 1 where it is no prime.
  (global $top (mut i32) (i32.const 1024))
  (data (i32.const 4096) ":Sd*;:CdS*;:P10p;")

  (func $push (param i64)
    (i64.store (global.get $top) (local.get 0))
    (global.set $top (i32.add (global.get $top) (i32.const 8))))
  (func $pop (export "pop") (result i64)
    (if (i32.le_u (global.get $top) (i32.const 1024)) (then unreachable))
    (global.set $top (i32.sub (global.get $top) (i32.const 8)))
    (i64.load (global.get $top)))

  ;; What takes long: the sieve, and the words that everybody has.
  (func (export "boot") (local $n i32) (local $i i32)
    (i32.store16 (i32.const 0x100000) (i32.const 0x0101))
    (local.set $n (i32.const 2))
    (loop $numbers
      (local.set $i (i32.shl (local.get $n) (i32.const 1)))
      (block $end
        (loop $multiples
          (br_if $end (i32.ge_u (local.get $i) (i32.const 1000000)))
          (i32.store8 offset=0x100000 (local.get $i) (i32.const 1))
          (local.set $i (i32.add (local.get $i) (local.get $n)))
          (br $multiples)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $numbers (i32.lt_u (local.get $n) (i32.const 500000))))
    (call $run (i32.const 4096) (i32.const 4113)))

  (func $prime (param $count i64) (result i64) (local $n i32)
    (loop $next
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (if (i32.ge_u (local.get $n) (i32.const 1000000)) (then unreachable))
      (local.set $count (i64.sub (local.get $count)
        (i64.extend_i32_u (i32.eqz (i32.load8_u offset=0x100000 (local.get $n))))))
      (br_if $next (i64.gt_s (local.get $count) (i64.const 0))))
    (i64.extend_i32_u (local.get $n)))

  (func $run (export "run") (param $at i32) (param $end i32)
    (local $c i32) (local $word i32) (local $number i64) (local $right i64)
    (loop $next
      (if (i32.ge_u (local.get $at) (local.get $end)) (then return))
      (local.set $c (i32.load8_u (local.get $at)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.eq (local.get $c) (i32.const 32))) ;; a space
      (if (i32.lt_u (i32.sub (local.get $c) (i32.const 48)) (i32.const 10)) ;; digits
        (then
          (local.set $number (i64.const 0))
          (loop $digits
            (local.set $number (i64.add
              (i64.mul (local.get $number) (i64.const 10))
              (i64.extend_i32_u (i32.sub (local.get $c) (i32.const 48)))))
            (local.set $c (i32.load8_u (local.get $at)))
            (if (i32.and
                  (i32.lt_u (local.get $at) (local.get $end))
                  (i32.lt_u (i32.sub (local.get $c) (i32.const 48)) (i32.const 10)))
              (then
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (br $digits))))
          (call $push (local.get $number))
          (br $next)))
      (if (i32.lt_u (i32.sub (local.get $c) (i32.const 65)) (i32.const 26)) ;; a word
        (then
          (local.set $word (i32.shl (i32.sub (local.get $c) (i32.const 65)) (i32.const 3)))
          (if (i32.eqz (i32.load (local.get $word))) (then unreachable)) ;; not known
          (call $run (i32.load (local.get $word)) (i32.load offset=4 (local.get $word)))
          (br $next)))
      (if (i32.eq (local.get $c) (i32.const 58)) ;; a definition
        (then
          (local.set $word (i32.shl
            (i32.rem_u (i32.sub (i32.load8_u (local.get $at)) (i32.const 65)) (i32.const 26))
            (i32.const 3)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (i32.store (local.get $word) (local.get $at))
          (loop $text
            (if (i32.ge_u (local.get $at) (local.get $end)) (then unreachable)) ;; without an end
            (local.set $c (i32.load8_u (local.get $at)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $text (i32.ne (local.get $c) (i32.const 59))))
          (i32.store offset=4 (local.get $word) (i32.sub (local.get $at) (i32.const 1)))
          (br $next)))
      (local.set $right (call $pop))
      (if (i32.eq (local.get $c) (i32.const 100)) ;; d
        (then (call $push (local.get $right)) (call $push (local.get $right)) (br $next)))
      (if (i32.eq (local.get $c) (i32.const 112)) ;; p
        (then (call $push (call $prime (local.get $right))) (br $next)))
      (if (i32.eq (local.get $c) (i32.const 43))
        (then (call $push (i64.add (call $pop) (local.get $right))) (br $next)))
      (if (i32.eq (local.get $c) (i32.const 45))
        (then (call $push (i64.sub (call $pop) (local.get $right))) (br $next)))
      (if (i32.eq (local.get $c) (i32.const 42))
        (then (call $push (i64.mul (call $pop) (local.get $right))) (br $next)))
      unreachable))) ;; no word of the language
