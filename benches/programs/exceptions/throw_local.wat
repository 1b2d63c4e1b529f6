;; Thrown and caught in one function: a break out of nested work that goes by an exception.
;; rounds: 500
(module
  (tag $stop (param i32))

  (func $pass (param $count i32) (result i32)
    (local $i i32) (local $sum i32)
    (loop $next
      (block $caught (result i32)
        (try_table (result i32) (catch $stop $caught)
          (if (i32.and (local.get $i) (i32.const 3))
            (then (throw $stop (i32.add (local.get $i) (local.get $sum)))))
          (i32.const 7)))
      (local.set $sum (i32.xor (local.get $sum)))
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
