;; Whatever is thrown is caught as a reference, kept in a table for a while, and thrown again from
;; another place: exceptions as values.
;; rounds: 250
(module
  (tag $number (param i32))
  (tag $fraction (param f64))
  (table $kept 16 16 exnref)

  (func $thrower (param $i i32)
    (if (i32.and (local.get $i) (i32.const 1))
      (then (throw $number (local.get $i))))
    (throw $fraction (f64.convert_i32_u (local.get $i))))

  (func $keep (param $i i32)
    (block $caught (result exnref)
      (try_table (catch_all_ref $caught)
        (call $thrower (local.get $i)))
      (return))
    (call $put (i32.and (local.get $i) (i32.const 15))))
  (func $put (param $exception exnref) (param $place i32)
    (table.set $kept (local.get $place) (local.get $exception)))

  (func $again (param $place i32) (result i32)
    (block $fraction (result f64)
      (block $number (result i32)
        (try_table (catch $number $number) (catch $fraction $fraction)
          (throw_ref (table.get $kept (local.get $place))))
        (unreachable))
      (return))
    (i32.trunc_sat_f64_s))

  (func $pass (param $count i32) (result i32)
    (local $i i32) (local $sum i32) (local $place i32)
    (loop $next
      (call $keep (local.get $i))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.and (local.get $i) (i32.const 15)))
      (local.set $place (i32.const 0))
      (loop $each
        (local.set $sum
          (i32.add
            (i32.mul (local.get $sum) (i32.const 31))
            (call $again (local.get $place))))
        (br_if $each
          (i32.lt_u
            (local.tee $place (i32.add (local.get $place) (i32.const 1)))
            (i32.const 16))))
      (br_if $next (i32.lt_u (local.get $i) (local.get $count))))
    (local.get $sum))

  (func (export "run") (param $rounds i32) (result i32)
    (local $sum i32)
    (loop $round
      (local.set $sum
        (i32.add (i32.mul (local.get $sum) (i32.const 31)) (call $pass (i32.const 8000))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
