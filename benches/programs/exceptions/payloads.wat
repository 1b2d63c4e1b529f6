;; Exceptions that carry several values of each numeric type, caught by one of three handlers.
;; rounds: 250
(module
  (tag $small (param i32))
  (tag $wide (param i32 i64 f64 f32 i64 i32))
  (tag $vector (param f64 f64 f64))

  (func $thrower (param $i i32) (result i32)
    (local $kind i32)
    (local.set $kind (i32.rem_u (local.get $i) (i32.const 3)))
    (if (i32.eqz (local.get $kind))
      (then (throw $small (local.get $i))))
    (if (i32.eq (local.get $kind) (i32.const 1))
      (then
        (throw $wide
          (local.get $i) (i64.extend_i32_u (local.get $i)) (f64.convert_i32_u (local.get $i))
          (f32.convert_i32_u (local.get $kind)) (i64.const 0x1234_5678_9abc) (local.get $kind))))
    (throw $vector
      (f64.convert_i32_u (local.get $i)) (f64.const 0.5)
      (f64.convert_i32_u (i32.shr_u (local.get $i) (i32.const 2)))))

  (func $caller (param $i i32) (result i32)
    (i32.add (call $thrower (local.get $i)) (i32.const 1)))

  (func $one (param $i i32) (result i64)
    (local $a i32) (local $b i64) (local $c f64) (local $d f32)
    (block $small (result i32)
      (block $wide (result i32 i64 f64 f32 i64 i32)
        (block $vector (result f64 f64 f64)
          (try_table (catch $vector $vector) (catch $wide $wide) (catch $small $small)
            (return (i64.extend_i32_u (call $caller (local.get $i)))))
          (unreachable))
        (f64.mul)
        (f64.add)
        (return (i64.trunc_sat_f64_s)))
      (local.set $a)
      (local.set $b)
      (local.set $d)
      (local.set $c)
      (i64.add (local.get $b))
      (local.set $b)
      (i32.add (local.get $a))
      (i64.extend_i32_u)
      (i64.add (local.get $b))
      (return
        (i64.add
          (i64.trunc_sat_f64_s (f64.add (local.get $c) (f64.promote_f32 (local.get $d)))))))
    (i64.extend_i32_u))

  (func $pass (param $count i32) (result i64)
    (local $i i32) (local $sum i64)
    (loop $next
      (local.set $sum
        (i64.add (i64.mul (local.get $sum) (i64.const 31)) (call $one (local.get $i))))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (local.get $count))))
    (local.get $sum))

  (func (export "run") (param $rounds i32) (result i64)
    (local $sum i64)
    (loop $round
      (local.set $sum
        (i64.add (i64.mul (local.get $sum) (i64.const 31)) (call $pass (i32.const 10000))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
