;; The longest pause of a server with little that lives: a thousand sessions, of which each step
;; replaces one, and a request's worth of garbage. The answer is the longest time, in nanoseconds,
;; between two looks at the clock.
;; rounds: 200000
(module
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock_time_get (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (type $text (array (mut i8)))
  (type $header (struct
    (field $name (ref $text)) (field $value (ref $text)) (field $next (ref null $header))))
  (type $session (struct (field $id i32) (field $headers (ref null $header))))
  (type $sessions (array (mut (ref null $session))))

  (func $headers (param $count i32) (result (ref null $header))
    (local $list (ref null $header))
    (loop $more
      (local.set $list
        (struct.new $header
          (array.new $text (local.get $count) (i32.const 12))
          (array.new $text (i32.const 7) (i32.const 40))
          (local.get $list)))
      (br_if $more (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
    (local.get $list))

  ;; Reads what a request brought; nobody needs it afterwards.
  (func $request (param $seed i32) (result i32)
    (local $list (ref null $header)) (local $sum i32)
    (local.set $list (call $headers (i32.const 40)))
    (block $done
      (loop $next
        (local.set $sum
          (i32.add (local.get $sum)
            (array.get_u $text
              (struct.get $header $value (br_on_null $done (local.get $list)))
              (i32.const 3))))
        (local.set $list (struct.get $header $next (local.get $list)))
        (br $next)))
    (i32.xor (local.get $sum) (local.get $seed)))

  (func $now (result i64)
    (drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 0)))
    (i64.load (i32.const 0)))

  (func (export "run") (param $rounds i32) (result i64)
    (local $sessions (ref $sessions)) (local $at i32)
    (local $now i64) (local $before i64) (local $longest i64)
    (local.set $sessions (array.new_default $sessions (i32.const 1000)))
    (local.set $before (call $now))
    (loop $round
      (local.set $at
        (i32.rem_u (i32.mul (local.get $rounds) (i32.const 7919)) (i32.const 1000)))
      (array.set $sessions (local.get $sessions) (local.get $at)
        (struct.new $session (call $request (local.get $rounds)) (call $headers (i32.const 10))))
      (local.set $now (call $now))
      (local.set $before (i64.sub (local.get $now) (local.get $before)))
      (if (i64.gt_u (local.get $before) (local.get $longest))
        (then (local.set $longest (local.get $before))))
      (local.set $before (local.get $now))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $longest)))
