;; Thrown through ten frames that have no handlers.
;; rounds: 1200
(module
  (tag $failed (param i32))

  (func $down (param $depth i32) (param $value i32) (result i32)
    (if (i32.eqz (local.get $depth))
      (then (throw $failed (local.get $value))))
    ;; Work after the call keeps the frame.
    (i32.add
      (call $down
        (i32.sub (local.get $depth) (i32.const 1))
        (i32.mul (local.get $value) (i32.const 3)))
      (local.get $depth)))

  (func $pass (param $count i32) (result i32)
    (local $i i32) (local $sum i32)
    (loop $next
      (block $caught (result i32)
        (try_table (result i32) (catch $failed $caught)
          (call $down (i32.const 10) (local.get $i))))
      (local.set $sum (i32.xor (local.get $sum)))
      (local.set $sum (i32.rotl (local.get $sum) (i32.const 1)))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (local.get $count))))
    (local.get $sum))

  (func (export "run") (param $rounds i32) (result i32)
    (local $sum i32)
    (loop $round
      (local.set $sum
        (i32.add (i32.mul (local.get $sum) (i32.const 31)) (call $pass (i32.const 1000))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
