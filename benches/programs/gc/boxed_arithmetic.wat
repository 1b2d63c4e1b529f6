;; Arithmetic of a dynamically typed language: small integers are i31 references, larger ones and
;; fractions are boxes; each operation looks at what it got. Recursion, loops with overflow into
;; boxes, and a loop of boxed f64.
;; rounds: 40
(module
  (type $large (struct (field $value i64)))
  (type $float (struct (field $value f64)))

  (func $integer (param $value i64) (result (ref eq))
    (if (i64.lt_u (i64.add (local.get $value) (i64.const 0x4000_0000)) (i64.const 0x8000_0000))
      (then (return (ref.i31 (i32.wrap_i64 (local.get $value))))))
    (struct.new $large (local.get $value)))

  (func $is_integer (param $value (ref eq)) (result i32)
    (i32.or (ref.test (ref i31) (local.get $value)) (ref.test (ref $large) (local.get $value))))

  (func $to_i64 (param $value (ref eq)) (result i64)
    (block $is_i31 (result (ref i31))
      (return
        (struct.get $large $value
          (ref.cast (ref $large)
            (br_on_cast $is_i31 (ref eq) (ref i31) (local.get $value))))))
    (i64.extend_i32_s (i31.get_s)))

  (func $to_f64 (param $value (ref eq)) (result f64)
    (block $is_float (result (ref $float))
      (return
        (f64.convert_i64_s
          (call $to_i64 (br_on_cast $is_float (ref eq) (ref $float) (local.get $value))))))
    (struct.get $float $value))

  ;; The quick way of each operation is inside, the rest is a call.
  (func $add (param $a (ref eq)) (param $b (ref eq)) (result (ref eq))
    (local $sum i32)
    (block $slow
      (br_if $slow (i32.eqz (ref.test (ref i31) (local.get $a))))
      (br_if $slow (i32.eqz (ref.test (ref i31) (local.get $b))))
      (local.set $sum
        (i32.add
          (i31.get_s (ref.cast (ref i31) (local.get $a)))
          (i31.get_s (ref.cast (ref i31) (local.get $b)))))
      (br_if $slow
        (i32.ne (i32.shr_s (i32.shl (local.get $sum) (i32.const 1)) (i32.const 1)) (local.get $sum)))
      (return (ref.i31 (local.get $sum))))
    (call $slow_add (local.get $a) (local.get $b)))
  (func $slow_add (param $a (ref eq)) (param $b (ref eq)) (result (ref eq))
    (if (i32.and (call $is_integer (local.get $a)) (call $is_integer (local.get $b)))
      (then
        (return
          (call $integer (i64.add (call $to_i64 (local.get $a)) (call $to_i64 (local.get $b)))))))
    (struct.new $float (f64.add (call $to_f64 (local.get $a)) (call $to_f64 (local.get $b)))))

  (func $subtract (param $a (ref eq)) (param $b (ref eq)) (result (ref eq))
    (local $difference i32)
    (block $slow
      (br_if $slow (i32.eqz (ref.test (ref i31) (local.get $a))))
      (br_if $slow (i32.eqz (ref.test (ref i31) (local.get $b))))
      (local.set $difference
        (i32.sub
          (i31.get_s (ref.cast (ref i31) (local.get $a)))
          (i31.get_s (ref.cast (ref i31) (local.get $b)))))
      (br_if $slow
        (i32.ne
          (i32.shr_s (i32.shl (local.get $difference) (i32.const 1)) (i32.const 1))
          (local.get $difference)))
      (return (ref.i31 (local.get $difference))))
    (call $slow_subtract (local.get $a) (local.get $b)))
  (func $slow_subtract (param $a (ref eq)) (param $b (ref eq)) (result (ref eq))
    (if (i32.and (call $is_integer (local.get $a)) (call $is_integer (local.get $b)))
      (then
        (return
          (call $integer (i64.sub (call $to_i64 (local.get $a)) (call $to_i64 (local.get $b)))))))
    (struct.new $float (f64.sub (call $to_f64 (local.get $a)) (call $to_f64 (local.get $b)))))

  (func $multiply (param $a (ref eq)) (param $b (ref eq)) (result (ref eq))
    (if (i32.and (call $is_integer (local.get $a)) (call $is_integer (local.get $b)))
      (then
        (return
          (call $integer (i64.mul (call $to_i64 (local.get $a)) (call $to_i64 (local.get $b)))))))
    (struct.new $float (f64.mul (call $to_f64 (local.get $a)) (call $to_f64 (local.get $b)))))

  (func $less (param $a (ref eq)) (param $b (ref eq)) (result i32)
    (if (i32.and (ref.test (ref i31) (local.get $a)) (ref.test (ref i31) (local.get $b)))
      (then
        (return
          (i32.lt_s
            (i31.get_s (ref.cast (ref i31) (local.get $a)))
            (i31.get_s (ref.cast (ref i31) (local.get $b)))))))
    (if (i32.and (call $is_integer (local.get $a)) (call $is_integer (local.get $b)))
      (then
        (return (i64.lt_s (call $to_i64 (local.get $a)) (call $to_i64 (local.get $b))))))
    (f64.lt (call $to_f64 (local.get $a)) (call $to_f64 (local.get $b))))

  (func $fibonacci (param $n (ref eq)) (result (ref eq))
    (if (call $less (local.get $n) (ref.i31 (i32.const 2)))
      (then (return (local.get $n))))
    (call $add
      (call $fibonacci (call $subtract (local.get $n) (ref.i31 (i32.const 1))))
      (call $fibonacci (call $subtract (local.get $n) (ref.i31 (i32.const 2))))))

  ;; A sum of squares, which soon needs boxes, kept below 2^40.
  (func $squares (param $limit (ref eq)) (result (ref eq))
    (local $i (ref eq)) (local $sum (ref eq))
    (local.set $i (ref.i31 (i32.const 0)))
    (local.set $sum (ref.i31 (i32.const 0)))
    (loop $next
      (local.set $sum
        (call $add (local.get $sum) (call $multiply (local.get $i) (local.get $i))))
      (if (call $less (struct.new $large (i64.const 0x100_0000_0000)) (local.get $sum))
        (then
          (local.set $sum
            (call $subtract (local.get $sum) (struct.new $large (i64.const 0x100_0000_0000))))))
      (local.set $i (call $add (local.get $i) (ref.i31 (i32.const 1))))
      (br_if $next (call $less (local.get $i) (local.get $limit))))
    (local.get $sum))

  ;; How many steps points of a line take to leave the Mandelbrot set: all in boxes.
  (func $escapes (param $points (ref eq)) (result (ref eq))
    (local $i (ref eq)) (local $total (ref eq)) (local $steps (ref eq))
    (local $re (ref eq)) (local $im (ref eq)) (local $c (ref eq)) (local $next_re (ref eq))
    (local.set $i (ref.i31 (i32.const 0)))
    (local.set $total (ref.i31 (i32.const 0)))
    (loop $point
      (local.set $c
        (call $subtract
          (call $multiply (local.get $i) (struct.new $float (f64.const 0.00390625)))
          (struct.new $float (f64.const 1.5))))
      (local.set $re (struct.new $float (f64.const 0)))
      (local.set $im (struct.new $float (f64.const 0)))
      (local.set $steps (ref.i31 (i32.const 0)))
      (loop $step
        (local.set $next_re
          (call $add
            (call $subtract
              (call $multiply (local.get $re) (local.get $re))
              (call $multiply (local.get $im) (local.get $im)))
            (local.get $c)))
        (local.set $im
          (call $add
            (call $multiply (ref.i31 (i32.const 2)) (call $multiply (local.get $re) (local.get $im)))
            (struct.new $float (f64.const 0.3125))))
        (local.set $re (local.get $next_re))
        (local.set $steps (call $add (local.get $steps) (ref.i31 (i32.const 1))))
        (br_if $step
          (i32.and
            (call $less (local.get $steps) (ref.i31 (i32.const 100)))
            (call $less
              (call $add
                (call $multiply (local.get $re) (local.get $re))
                (call $multiply (local.get $im) (local.get $im)))
              (ref.i31 (i32.const 4))))))
      (local.set $total (call $add (local.get $total) (local.get $steps)))
      (local.set $i (call $add (local.get $i) (ref.i31 (i32.const 1))))
      (br_if $point (call $less (local.get $i) (local.get $points))))
    (local.get $total))

  (func (export "run") (param $rounds i32) (result i64)
    (local $sum i64)
    (loop $round
      (local.set $sum
        (i64.add
          (i64.mul (local.get $sum) (i64.const 31))
          (i64.add
            (call $to_i64 (call $fibonacci (ref.i31 (i32.const 26))))
            (i64.add
              (call $to_i64 (call $squares (ref.i31 (i32.const 200000))))
              (call $to_i64 (call $escapes (ref.i31 (i32.const 512))))))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
