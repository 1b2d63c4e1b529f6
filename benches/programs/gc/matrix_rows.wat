;; Matrices as arrays of rows of f64, as languages without flat matrices have them: products,
;; a transposition, elimination with a pivot that swaps rows. Two loads and two bounds checks for
;; each element, and rows that are allocated.
;; rounds: 60
(module
  (type $row (array (mut f64)))
  (type $matrix (array (mut (ref null $row))))

  (func $new (param $n i32) (result (ref $matrix))
    (local $matrix (ref $matrix)) (local $i i32)
    (local.set $matrix (array.new_default $matrix (local.get $n)))
    (loop $next
      (array.set $matrix (local.get $matrix) (local.get $i)
        (array.new_default $row (local.get $n)))
      (br_if $next
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.get $matrix))

  (func $get (param $matrix (ref $matrix)) (param $i i32) (param $j i32) (result f64)
    (array.get $row
      (array.get $matrix (local.get $matrix) (local.get $i))
      (local.get $j)))
  (func $set (param $matrix (ref $matrix)) (param $i i32) (param $j i32) (param $value f64)
    (array.set $row
      (array.get $matrix (local.get $matrix) (local.get $i))
      (local.get $j)
      (local.get $value)))

  (func $filled (param $n i32) (param $seed i32) (result (ref $matrix))
    (local $matrix (ref $matrix)) (local $i i32) (local $j i32)
    (local.set $matrix (call $new (local.get $n)))
    (loop $rows
      (local.set $j (i32.const 0))
      (loop $columns
        (local.set $seed
          (i32.add (i32.mul (local.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
        (call $set (local.get $matrix) (local.get $i) (local.get $j)
          (f64.convert_i32_s (i32.sub (i32.shr_u (local.get $seed) (i32.const 24)) (i32.const 128))))
        (br_if $columns
          (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (local.get $n))))
      (br_if $rows
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.get $matrix))

  (func $product (param $a (ref $matrix)) (param $b (ref $matrix)) (result (ref $matrix))
    (local $n i32) (local $i i32) (local $j i32) (local $k i32) (local $sum f64)
    (local $product (ref $matrix))
    (local.set $n (array.len (local.get $a)))
    (local.set $product (call $new (local.get $n)))
    (loop $rows
      (local.set $j (i32.const 0))
      (loop $columns
        (local.set $k (i32.const 0))
        (local.set $sum (f64.const 0))
        (loop $terms
          (local.set $sum
            (f64.add
              (local.get $sum)
              (f64.mul
                (call $get (local.get $a) (local.get $i) (local.get $k))
                (call $get (local.get $b) (local.get $k) (local.get $j)))))
          (br_if $terms
            (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (local.get $n))))
        (call $set (local.get $product) (local.get $i) (local.get $j) (local.get $sum))
        (br_if $columns
          (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (local.get $n))))
      (br_if $rows
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.get $product))

  (func $transposed (param $a (ref $matrix)) (result (ref $matrix))
    (local $n i32) (local $i i32) (local $j i32) (local $result (ref $matrix))
    (local.set $n (array.len (local.get $a)))
    (local.set $result (call $new (local.get $n)))
    (loop $rows
      (local.set $j (i32.const 0))
      (loop $columns
        (call $set (local.get $result) (local.get $j) (local.get $i)
          (call $get (local.get $a) (local.get $i) (local.get $j)))
        (br_if $columns
          (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (local.get $n))))
      (br_if $rows
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.get $result))

  ;; Elimination in place; the result is the sum of the pivots.
  (func $eliminated (param $a (ref $matrix)) (result f64)
    (local $n i32) (local $i i32) (local $j i32) (local $k i32) (local $best i32)
    (local $row (ref null $row)) (local $other (ref null $row)) (local $factor f64) (local $sum f64)
    (local.set $n (array.len (local.get $a)))
    (loop $columns
      (local.set $best (local.get $k))
      (local.set $i (local.get $k))
      (loop $search
        (if (f64.gt
              (f64.abs (call $get (local.get $a) (local.get $i) (local.get $k)))
              (f64.abs (call $get (local.get $a) (local.get $best) (local.get $k))))
          (then (local.set $best (local.get $i))))
        (br_if $search
          (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
      (local.set $row (array.get $matrix (local.get $a) (local.get $best)))
      (array.set $matrix (local.get $a) (local.get $best)
        (array.get $matrix (local.get $a) (local.get $k)))
      (array.set $matrix (local.get $a) (local.get $k) (local.get $row))
      (local.set $sum
        (f64.add (local.get $sum) (array.get $row (local.get $row) (local.get $k))))
      (local.set $i (local.get $k))
      (block $last
        (loop $rows
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $last (i32.ge_u (local.get $i) (local.get $n)))
          (local.set $other (array.get $matrix (local.get $a) (local.get $i)))
          (local.set $factor
            (f64.div
              (array.get $row (local.get $other) (local.get $k))
              (array.get $row (local.get $row) (local.get $k))))
          (local.set $j (local.get $k))
          (loop $elements
            (array.set $row (local.get $other) (local.get $j)
              (f64.sub
                (array.get $row (local.get $other) (local.get $j))
                (f64.mul (local.get $factor) (array.get $row (local.get $row) (local.get $j)))))
            (br_if $elements
              (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (local.get $n))))
          (br $rows)))
      (br_if $columns
        (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (local.get $n))))
    (local.get $sum))

  (func $trace (param $a (ref $matrix)) (result f64)
    (local $i i32) (local $sum f64)
    (loop $next
      (local.set $sum
        (f64.add
          (local.get $sum)
          (call $get (local.get $a) (local.get $i) (local.get $i))))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (array.len (local.get $a)))))
    (local.get $sum))

  (func $round (param $seed i32) (result i64)
    (local $a (ref $matrix)) (local $b (ref $matrix))
    (local.set $a (call $filled (i32.const 200) (local.get $seed)))
    (local.set $b (call $product (local.get $a) (call $transposed (local.get $a))))
    (i64.add
      (i64.trunc_sat_f64_s (call $trace (local.get $b)))
      (i64.trunc_sat_f64_s
        (f64.mul (call $eliminated (local.get $a)) (f64.const 1024)))))

  (func (export "run") (param $rounds i32) (result i64)
    (local $sum i64)
    (loop $round
      (local.set $sum
        (i64.add (i64.mul (local.get $sum) (i64.const 31)) (call $round (local.get $rounds))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
