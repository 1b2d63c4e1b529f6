;; Lists of pairs and what functional programs do with them: built, mapped, filtered, folded, sorted
;; by merging with a function that compares records. Short-lived cells, loops and recursion.
;; rounds: 20
(module
  (type $record (struct (field $key i32) (field $rank f64)))
  (type $cell (struct (field $head (ref $record)) (field $tail (mut (ref null $cell)))))
  (type $order (func (param (ref $record) (ref $record)) (result i32)))
  (type $change (func (param (ref $record)) (result (ref $record))))
  (type $test (func (param (ref $record)) (result i32)))
  (elem declare func $by_key $by_rank $halved $is_even)

  (func $by_key (type $order) (param $a (ref $record)) (param $b (ref $record)) (result i32)
    (i32.le_u (struct.get $record $key (local.get $a)) (struct.get $record $key (local.get $b))))
  (func $by_rank (type $order) (param $a (ref $record)) (param $b (ref $record)) (result i32)
    (f64.le (struct.get $record $rank (local.get $a)) (struct.get $record $rank (local.get $b))))
  (func $halved (type $change) (param $a (ref $record)) (result (ref $record))
    (struct.new $record
      (i32.shr_u (struct.get $record $key (local.get $a)) (i32.const 1))
      (f64.mul (struct.get $record $rank (local.get $a)) (f64.const 0.5))))
  (func $is_even (type $test) (param $a (ref $record)) (result i32)
    (i32.eqz (i32.and (struct.get $record $key (local.get $a)) (i32.const 1))))

  (func $random_list (param $length i32) (param $seed i32) (result (ref null $cell))
    (local $list (ref null $cell))
    (loop $next
      (local.set $seed
        (i32.add (i32.mul (local.get $seed) (i32.const 1103515245)) (i32.const 12345)))
      (local.set $list
        (struct.new $cell
          (struct.new $record
            (i32.shr_u (local.get $seed) (i32.const 4))
            (f64.convert_i32_s (i32.mul (local.get $seed) (i32.const 69069))))
          (local.get $list)))
      (br_if $next (local.tee $length (i32.sub (local.get $length) (i32.const 1)))))
    (local.get $list))

  (func $reversed (param $list (ref null $cell)) (result (ref null $cell))
    (local $result (ref null $cell))
    (block $done
      (loop $next
        (br_if $done (ref.is_null (local.get $list)))
        (local.set $result
          (struct.new $cell (struct.get $cell $head (local.get $list)) (local.get $result)))
        (local.set $list (struct.get $cell $tail (local.get $list)))
        (br $next)))
    (local.get $result))

  (func $mapped (param $list (ref null $cell)) (param $by (ref $change)) (result (ref null $cell))
    (local $result (ref null $cell))
    (block $done
      (loop $next
        (br_if $done (ref.is_null (local.get $list)))
        (local.set $result
          (struct.new $cell
            (call_ref $change (struct.get $cell $head (local.get $list)) (local.get $by))
            (local.get $result)))
        (local.set $list (struct.get $cell $tail (local.get $list)))
        (br $next)))
    (call $reversed (local.get $result)))

  (func $filtered (param $list (ref null $cell)) (param $by (ref $test)) (result (ref null $cell))
    (local $result (ref null $cell)) (local $record (ref $record))
    (block $done
      (loop $next
        (br_if $done (ref.is_null (local.get $list)))
        (local.set $record (struct.get $cell $head (local.get $list)))
        (if (call_ref $test (local.get $record) (local.get $by))
          (then
            (local.set $result (struct.new $cell (local.get $record) (local.get $result)))))
        (local.set $list (struct.get $cell $tail (local.get $list)))
        (br $next)))
    (call $reversed (local.get $result)))

  ;; Merges two sorted lists in place: each new tail is a store into an older cell.
  (func $merged (param $a (ref null $cell)) (param $b (ref null $cell)) (param $by (ref $order))
    (result (ref null $cell))
    (local $first (ref $cell)) (local $last (ref $cell)) (local $next (ref $cell))
    (local.set $first
      (struct.new $cell (struct.new $record (i32.const 0) (f64.const 0)) (ref.null none)))
    (local.set $last (local.get $first))
    (block $a_ends
      (loop $more
        (block $b_ends
          (br_if $a_ends (ref.is_null (local.get $a)))
          (br_if $b_ends (ref.is_null (local.get $b)))
          (local.set $next
            (if (result (ref $cell))
              (call_ref $order
                (struct.get $cell $head (local.get $a)) (struct.get $cell $head (local.get $b))
                (local.get $by))
              (then
                (ref.as_non_null (local.get $a))
                (local.set $a (struct.get $cell $tail (local.get $a))))
              (else
                (ref.as_non_null (local.get $b))
                (local.set $b (struct.get $cell $tail (local.get $b))))))
          (struct.set $cell $tail (local.get $last) (local.get $next))
          (local.set $last (local.get $next))
          (br $more)))
      (struct.set $cell $tail (local.get $last) (local.get $a))
      (return (struct.get $cell $tail (local.get $first))))
    (struct.set $cell $tail (local.get $last) (local.get $b))
    (struct.get $cell $tail (local.get $first)))

  ;; The first `length` cells, sorted into a list of fresh cells.
  (func $sorted (param $list (ref null $cell)) (param $length i32) (param $by (ref $order))
    (result (ref null $cell))
    (local $half i32) (local $second (ref null $cell)) (local $left i32)
    (if (i32.eq (local.get $length) (i32.const 1))
      (then
        (return (struct.new $cell (struct.get $cell $head (local.get $list)) (ref.null none)))))
    (local.set $half (i32.shr_u (local.get $length) (i32.const 1)))
    (local.set $second (local.get $list))
    (local.set $left (local.get $half))
    (loop $skip
      (local.set $second (struct.get $cell $tail (local.get $second)))
      (br_if $skip (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (call $merged
      (call $sorted (local.get $list) (local.get $half) (local.get $by))
      (call $sorted (local.get $second) (i32.sub (local.get $length) (local.get $half))
        (local.get $by))
      (local.get $by)))

  (func $length (param $list (ref null $cell)) (result i32)
    (local $length i32)
    (block $done
      (loop $next
        (br_if $done (ref.is_null (local.get $list)))
        (local.set $length (i32.add (local.get $length) (i32.const 1)))
        (local.set $list (struct.get $cell $tail (local.get $list)))
        (br $next)))
    (local.get $length))

  (func $sum_of (param $list (ref null $cell)) (result i32)
    (local $sum i32) (local $record (ref $record))
    (block $done
      (loop $next
        (br_if $done (ref.is_null (local.get $list)))
        (local.set $record (struct.get $cell $head (local.get $list)))
        (local.set $sum
          (i32.add
            (i32.mul (local.get $sum) (i32.const 31))
            (i32.xor
              (struct.get $record $key (local.get $record))
              (i32.trunc_sat_f64_s (struct.get $record $rank (local.get $record))))))
        (local.set $list (struct.get $cell $tail (local.get $list)))
        (br $next)))
    (local.get $sum))

  (func $round (param $seed i32) (result i32)
    (local $list (ref null $cell)) (local $sum i32)
    (local.set $list (call $random_list (i32.const 60000) (local.get $seed)))
    (local.set $sum
      (call $sum_of (call $sorted (local.get $list) (i32.const 60000) (ref.func $by_key))))
    (local.set $list
      (call $filtered
        (call $mapped (local.get $list) (ref.func $halved))
        (ref.func $is_even)))
    (i32.xor
      (local.get $sum)
      (call $sum_of
        (call $sorted (local.get $list) (call $length (local.get $list)) (ref.func $by_rank)))))

  (func (export "run") (param $rounds i32) (result i32)
    (local $sum i32)
    (loop $round
      (local.set $sum
        (i32.add (i32.mul (local.get $sum) (i32.const 31)) (call $round (local.get $rounds))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
