;; The earlier instructions for exceptions, which compilers of C++ have written for years: try and
;; catch, catch_all with rethrow around a call, and delegate to an outer try.
;; needs: legacy exceptions
;; rounds: 250
(module
  (tag $failed (param i32))
  (tag $other (param i64))
  (global $open (mut i32) (i32.const 0))

  (func $thrower (param $i i32) (result i32)
    (if (i32.and (local.get $i) (i32.const 7))
      (then (throw $failed (local.get $i))))
    (throw $other (i64.extend_i32_u (local.get $i))))

  ;; As a destructor runs.
  (func $cleaning (param $i i32) (result i32)
    (local $result i32)
    (global.set $open (i32.add (global.get $open) (i32.const 1)))
    try
      (local.set $result (call $thrower (local.get $i)))
    catch_all
      (global.set $open (i32.sub (global.get $open) (i32.const 1)))
      rethrow 0
    end
    (global.set $open (i32.sub (global.get $open) (i32.const 1)))
    (local.get $result))

  (func $one (param $i i32) (result i32)
    try $outer (result i32)
      try (result i32)
        try (result i32)
          (call $cleaning (local.get $i))
        delegate $outer
      catch $failed
        (i32.const -1)
        (i32.add)
      end
    catch $failed
      (i32.const 3)
      (i32.mul)
    catch $other
      (i32.wrap_i64)
    end)

  (func $pass (param $count i32) (result i32)
    (local $i i32) (local $sum i32)
    (loop $next
      (local.set $sum
        (i32.add
          (i32.mul (local.get $sum) (i32.const 31))
          (i32.add (call $one (local.get $i)) (global.get $open))))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (local.get $count))))
    (local.get $sum))

  (func (export "run") (param $rounds i32) (result i32)
    (local $sum i32)
    (loop $round
      (local.set $sum
        (i32.add (i32.mul (local.get $sum) (i32.const 31)) (call $pass (i32.const 10000))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
