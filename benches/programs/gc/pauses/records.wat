;; The longest pause beside a large heap that lives on, about a million records: each step makes some
;; garbage and gives a few records new parts, so that old objects die too. The answer is the longest
;; time, in nanoseconds, between two looks at the clock.
;; rounds: 100000
(module
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock_time_get (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (type $payload (array (mut i32)))
  (type $record (struct
    (field $id i32) (field $count (mut i32)) (field $weight (mut i64))
    (field $payload (mut (ref $payload)))
    (field $friend (mut (ref null $record)))
    (field $next (ref null $record))))
  (type $shelf (array (mut (ref null $record))))
  (type $store (array (mut (ref null $shelf))))
  (type $note (struct (field $number i32) (field $text (ref $payload)) (field $next (ref null $note))))

  (global $random (mut i32) (i32.const 0))

  (func $random (param $below i32) (result i32)
    (global.set $random
      (i32.add
        (i32.mul (global.get $random) (i32.const 1664525))
        (i32.const 1013904223)))
    (i32.rem_u (i32.shr_u (global.get $random) (i32.const 8)) (local.get $below)))

  (func $pick (param $store (ref $store)) (result (ref $record))
    (local $shelf (ref $shelf))
    (local.set $shelf
      (ref.as_non_null
        (array.get $store (local.get $store) (call $random (array.len (local.get $store))))))
    (ref.as_non_null
      (array.get $shelf (local.get $shelf) (call $random (array.len (local.get $shelf))))))

  (func $shelf (param $first i32) (result (ref $shelf))
    (local $shelf (ref $shelf)) (local $i i32) (local $last (ref null $record))
    (local.set $shelf (array.new_default $shelf (i32.const 1024)))
    (loop $next
      (local.set $last
        (struct.new $record
          (i32.add (local.get $first) (local.get $i)) (i32.const 0) (i64.const 1)
          (array.new $payload (local.get $i) (i32.const 6))
          (array.get $shelf (local.get $shelf) (i32.shr_u (local.get $i) (i32.const 1)))
          (local.get $last)))
      (array.set $shelf (local.get $shelf) (local.get $i) (local.get $last))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (i32.const 1024))))
    (local.get $shelf))

  (func $store (result (ref $store))
    (local $store (ref $store)) (local $i i32)
    (local.set $store (array.new_default $store (i32.const 1000)))
    (loop $next
      (array.set $store (local.get $store) (local.get $i)
        (call $shelf (i32.shl (local.get $i) (i32.const 10))))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (i32.const 1000))))
    (local.get $store))

  ;; A hundred notes that nobody needs when their sum is known.
  (func $notes (param $seed i32) (result i32)
    (local $list (ref null $note)) (local $i i32) (local $sum i32)
    (loop $more
      (local.set $list
        (struct.new $note
          (i32.xor (local.get $seed) (local.get $i))
          (array.new $payload (local.get $i) (i32.const 4))
          (local.get $list)))
      (br_if $more
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (i32.const 100))))
    (block $done
      (loop $next
        (br_if $done (ref.is_null (local.get $list)))
        (local.set $sum
          (i32.add
            (i32.add (local.get $sum) (struct.get $note $number (local.get $list)))
            (array.get $payload (struct.get $note $text (local.get $list)) (i32.const 2))))
        (local.set $list (struct.get $note $next (local.get $list)))
        (br $next)))
    (local.get $sum))

  ;; One record gets a new payload, another a friend.
  (func $change (param $store (ref $store)) (param $value i32)
    (local $record (ref $record))
    (local.set $record (call $pick (local.get $store)))
    (struct.set $record $payload (local.get $record)
      (array.new $payload (local.get $value) (i32.const 6)))
    (struct.set $record $count (local.get $record)
      (i32.add (struct.get $record $count (local.get $record)) (i32.const 1)))
    (struct.set $record $friend (call $pick (local.get $store)) (local.get $record)))

  (func $now (result i64)
    (drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 0)))
    (i64.load (i32.const 0)))

  (func (export "run") (param $rounds i32) (result i64)
    (local $store (ref $store)) (local $i i32)
    (local $now i64) (local $before i64) (local $longest i64)
    (global.set $random (i32.const 42))
    (local.set $store (call $store))
    (local.set $before (call $now))
    (loop $round
      (drop (call $notes (local.get $rounds)))
      (local.set $i (i32.const 10))
      (loop $changes
        (call $change (local.get $store) (local.get $i))
        (br_if $changes (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
      (local.set $now (call $now))
      (local.set $before (i64.sub (local.get $now) (local.get $before)))
      (if (i64.gt_u (local.get $before) (local.get $longest))
        (then (local.set $longest (local.get $before))))
      (local.set $before (local.get $now))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $longest)))
