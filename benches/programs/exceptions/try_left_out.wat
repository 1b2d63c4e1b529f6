;; The loop of `try_not_thrown` without its handler.
;; rounds: 2500
(module
  (type $step (func (param i32 i32) (result i32)))
  (tag $failed (param i32))
  (table $steps 4 4 funcref)
  (elem (table $steps) (i32.const 0) func $plus $mixed $turned $checked)

  (func $plus (type $step) (param $a i32) (param $b i32) (result i32)
    (i32.add (local.get $a) (local.get $b)))
  (func $mixed (type $step) (param $a i32) (param $b i32) (result i32)
    (i32.mul (i32.xor (local.get $a) (local.get $b)) (i32.const 0x01000193)))
  (func $turned (type $step) (param $a i32) (param $b i32) (result i32)
    (i32.rotl (local.get $a) (local.get $b)))
  ;; Could throw, never does.
  (func $checked (type $step) (param $a i32) (param $b i32) (result i32)
    (if (i32.lt_s (local.get $b) (i32.const 0))
      (then (throw $failed (local.get $a))))
    (i32.sub (local.get $a) (local.get $b)))

  ;; Several values live across each call.
  (func $pass (param $count i32) (result i32)
    (local $i i32) (local $sum i32) (local $x i32) (local $y i32)
    (local.set $x (i32.const 17))
    (local.set $y (i32.const 91))
    (loop $next
      (local.set $sum
        (call_indirect $steps (type $step) (local.get $sum) (local.get $i)
          (i32.and (local.get $i) (i32.const 3))))
      (local.set $x (i32.add (local.get $x) (i32.xor (local.get $sum) (local.get $i))))
      (local.set $y (i32.rotl (i32.sub (local.get $y) (local.get $x)) (i32.const 5)))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (local.get $count))))
    (i32.xor (local.get $sum) (i32.add (local.get $x) (local.get $y))))

  (func (export "run") (param $rounds i32) (result i32)
    (local $sum i32)
    (loop $round
      (local.set $sum
        (i32.add (i32.mul (local.get $sum) (i32.const 31)) (call $pass (i32.const 100000))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
