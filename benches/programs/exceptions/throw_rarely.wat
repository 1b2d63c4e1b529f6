;; One call in a hundred throws: numbers are read from text in which some are wrong, and what is wrong
;; is reported by an exception through two callers.
;; rounds: 8000
(module
  (memory 1)
  (tag $wrong (param i32 i32))

  ;; Lines of eight bytes: seven digits, sometimes a letter among them.
  (func $write (param $lines i32)
    (local $i i32) (local $at i32) (local $random i32)
    (local.set $random (i32.const 1))
    (loop $next
      (local.set $at (i32.shl (local.get $i) (i32.const 3)))
      (local.set $random
        (i32.add (i32.mul (local.get $random) (i32.const 1664525)) (i32.const 1013904223)))
      (i32.store (local.get $at)
        (i32.or
          (i32.const 0x30303030)
          (i32.and (local.get $random) (i32.const 0x07070707))))
      (i32.store offset=4 (local.get $at)
        (i32.or
          (i32.const 0x0a303030)
          (i32.and (i32.shr_u (local.get $random) (i32.const 3)) (i32.const 0x00070707))))
      (if (i32.eqz (i32.rem_u (i32.shr_u (local.get $random) (i32.const 8)) (i32.const 100)))
        (then (i32.store8 offset=4 (local.get $at) (i32.const 0x78))))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (local.get $lines)))))

  (func $digit (param $at i32) (result i32)
    (local $unit i32)
    (local.set $unit (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))
    (if (i32.gt_u (local.get $unit) (i32.const 9))
      (then (throw $wrong (local.get $at) (local.get $unit))))
    (local.get $unit))

  (func $number (param $at i32) (result i32)
    (local $value i32)
    (loop $next
      (local.set $value
        (i32.add (i32.mul (local.get $value) (i32.const 10)) (call $digit (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.ne (i32.load8_u (local.get $at)) (i32.const 10))))
    (local.get $value))

  (func $line (param $line i32) (result i32)
    (i32.mul
      (call $number (i32.shl (local.get $line) (i32.const 3)))
      (i32.add (local.get $line) (i32.const 1))))

  (func $pass (param $lines i32) (result i32)
    (local $i i32) (local $sum i32)
    (loop $next
      (block $done
        (block $caught (result i32 i32)
          (try_table (catch $wrong $caught)
            (local.set $sum (i32.add (local.get $sum) (call $line (local.get $i))))
            (br $done))
          (unreachable))
        (i32.add)
        (local.set $sum (i32.xor (local.get $sum))))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (local.get $lines))))
    (local.get $sum))

  (func (export "run") (param $rounds i32) (result i32)
    (local $sum i32)
    (call $write (i32.const 8000))
    (loop $round
      (local.set $sum
        (i32.add (i32.mul (local.get $sum) (i32.const 31)) (call $pass (i32.const 8000))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
