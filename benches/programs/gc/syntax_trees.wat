;; An interpreter that walks syntax trees: nodes of a dozen classes told apart by their kind and then
;; cast, values that are i31 references or arrays, variables in an array of the frame. What it
;; interprets is a sieve of primes, a doubly recursive function, and a loop.
;; rounds: 80
(module
  (type $values (array (mut (ref null eq))))
  (rec
    (type $expr (sub (struct (field $kind i32))))
    (type $exprs (array (mut (ref null $expr))))
    (type $number (sub final $expr (struct (field $kind i32) (field $value (ref eq)))))
    (type $variable (sub final $expr (struct (field $kind i32) (field $slot i32))))
    (type $assign (sub final $expr (struct
      (field $kind i32) (field $slot i32) (field $to (ref $expr)))))
    (type $binary (sub final $expr (struct
      (field $kind i32) (field $operator i32) (field $left (ref $expr)) (field $right (ref $expr)))))
    (type $choice (sub final $expr (struct
      (field $kind i32) (field $condition (ref $expr)) (field $then (ref $expr))
      (field $else (ref $expr)))))
    (type $while (sub final $expr (struct
      (field $kind i32) (field $condition (ref $expr)) (field $body (ref $expr)))))
    (type $sequence (sub final $expr (struct (field $kind i32) (field $parts (ref $exprs)))))
    (type $call (sub final $expr (struct
      (field $kind i32) (field $function (ref $function)) (field $arguments (ref $exprs)))))
    (type $new_array (sub final $expr (struct (field $kind i32) (field $length (ref $expr)))))
    (type $element (sub final $expr (struct
      (field $kind i32) (field $array (ref $expr)) (field $index (ref $expr)))))
    (type $set_element (sub final $expr (struct
      (field $kind i32) (field $array (ref $expr)) (field $index (ref $expr))
      (field $to (ref $expr)))))
    (type $function (struct (field $slots i32) (field $body (mut (ref null $expr))))))

  (func $int (param $value (ref null eq)) (result i32)
    (i31.get_s (ref.cast (ref i31) (local.get $value))))

  (func $eval (param $expr (ref $expr)) (param $frame (ref $values)) (result (ref null eq))
    (block $set_element
      (block $element
        (block $new_array
          (block $call
            (block $sequence
              (block $while
                (block $choice
                  (block $binary
                    (block $assign
                      (block $variable
                        (block $number
                          (br_table $number $variable $assign $binary $choice $while $sequence
                            $call $new_array $element $set_element
                            (struct.get $expr $kind (local.get $expr))))
                        (return
                          (struct.get $number $value
                            (ref.cast (ref $number) (local.get $expr)))))
                      (return
                        (array.get $values (local.get $frame)
                          (struct.get $variable $slot
                            (ref.cast (ref $variable) (local.get $expr))))))
                    (return
                      (call $eval_assign
                        (ref.cast (ref $assign) (local.get $expr)) (local.get $frame))))
                  (return
                    (call $eval_binary
                      (ref.cast (ref $binary) (local.get $expr)) (local.get $frame))))
                (return
                  (call $eval_choice
                    (ref.cast (ref $choice) (local.get $expr)) (local.get $frame))))
              (return
                (call $eval_while (ref.cast (ref $while) (local.get $expr)) (local.get $frame))))
            (return
              (call $eval_sequence
                (ref.cast (ref $sequence) (local.get $expr)) (local.get $frame))))
          (return (call $eval_call (ref.cast (ref $call) (local.get $expr)) (local.get $frame))))
        (return
          (array.new $values
            (ref.i31 (i32.const 0))
            (call $int
              (call $eval
                (struct.get $new_array $length (ref.cast (ref $new_array) (local.get $expr)))
                (local.get $frame))))))
      (return
        (call $eval_element (ref.cast (ref $element) (local.get $expr)) (local.get $frame))))
    (call $eval_set_element (ref.cast (ref $set_element) (local.get $expr)) (local.get $frame)))

  (func $eval_assign (param $assign (ref $assign)) (param $frame (ref $values)) (result (ref null eq))
    (local $value (ref null eq))
    (local.set $value (call $eval (struct.get $assign $to (local.get $assign)) (local.get $frame)))
    (array.set $values (local.get $frame) (struct.get $assign $slot (local.get $assign))
      (local.get $value))
    (local.get $value))

  ;; Operators: 0 add, 1 subtract, 2 less, 3 multiply, 4 equal.
  (func $eval_binary (param $binary (ref $binary)) (param $frame (ref $values)) (result (ref null eq))
    (local $left i32) (local $right i32)
    (local.set $left
      (call $int (call $eval (struct.get $binary $left (local.get $binary)) (local.get $frame))))
    (local.set $right
      (call $int (call $eval (struct.get $binary $right (local.get $binary)) (local.get $frame))))
    (block $equal
      (block $multiply
        (block $less
          (block $subtract
            (block $add
              (br_table $add $subtract $less $multiply $equal
                (struct.get $binary $operator (local.get $binary))))
            (return (ref.i31 (i32.add (local.get $left) (local.get $right)))))
          (return (ref.i31 (i32.sub (local.get $left) (local.get $right)))))
        (return (ref.i31 (i32.lt_s (local.get $left) (local.get $right)))))
      (return (ref.i31 (i32.mul (local.get $left) (local.get $right)))))
    (ref.i31 (i32.eq (local.get $left) (local.get $right))))

  (func $eval_choice (param $choice (ref $choice)) (param $frame (ref $values)) (result (ref null eq))
    (return_call $eval
      (if (result (ref $expr))
        (call $int (call $eval (struct.get $choice $condition (local.get $choice)) (local.get $frame)))
        (then (struct.get $choice $then (local.get $choice)))
        (else (struct.get $choice $else (local.get $choice))))
      (local.get $frame)))

  (func $eval_while (param $while (ref $while)) (param $frame (ref $values)) (result (ref null eq))
    (block $done
      (loop $again
        (br_if $done
          (i32.eqz
            (call $int
              (call $eval (struct.get $while $condition (local.get $while)) (local.get $frame)))))
        (drop (call $eval (struct.get $while $body (local.get $while)) (local.get $frame)))
        (br $again)))
    (ref.i31 (i32.const 0)))

  (func $eval_sequence (param $sequence (ref $sequence)) (param $frame (ref $values))
    (result (ref null eq))
    (local $parts (ref $exprs)) (local $i i32) (local $value (ref null eq))
    (local.set $parts (struct.get $sequence $parts (local.get $sequence)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (array.len (local.get $parts))))
        (local.set $value
          (call $eval
            (ref.as_non_null (array.get $exprs (local.get $parts) (local.get $i)))
            (local.get $frame)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (local.get $value))

  (func $eval_call (param $call (ref $call)) (param $frame (ref $values)) (result (ref null eq))
    (local $new (ref $values)) (local $arguments (ref $exprs)) (local $i i32)
    (local $function (ref $function))
    (local.set $function (struct.get $call $function (local.get $call)))
    (local.set $new
      (array.new_default $values (struct.get $function $slots (local.get $function))))
    (local.set $arguments (struct.get $call $arguments (local.get $call)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (array.len (local.get $arguments))))
        (array.set $values (local.get $new) (local.get $i)
          (call $eval
            (ref.as_non_null (array.get $exprs (local.get $arguments) (local.get $i)))
            (local.get $frame)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (return_call $eval
      (ref.as_non_null (struct.get $function $body (local.get $function)))
      (local.get $new)))

  (func $eval_element (param $element (ref $element)) (param $frame (ref $values))
    (result (ref null eq))
    (array.get $values
      (ref.cast (ref $values)
        (call $eval (struct.get $element $array (local.get $element)) (local.get $frame)))
      (call $int
        (call $eval (struct.get $element $index (local.get $element)) (local.get $frame)))))

  (func $eval_set_element (param $set (ref $set_element)) (param $frame (ref $values))
    (result (ref null eq))
    (local $value (ref null eq))
    (local.set $value
      (call $eval (struct.get $set_element $to (local.get $set)) (local.get $frame)))
    (array.set $values
      (ref.cast (ref $values)
        (call $eval (struct.get $set_element $array (local.get $set)) (local.get $frame)))
      (call $int
        (call $eval (struct.get $set_element $index (local.get $set)) (local.get $frame)))
      (local.get $value))
    (local.get $value))

  ;; How trees are written down below.
  (func $n (param $value i32) (result (ref $expr))
    (struct.new $number (i32.const 0) (ref.i31 (local.get $value))))
  (func $v (param $slot i32) (result (ref $expr))
    (struct.new $variable (i32.const 1) (local.get $slot)))
  (func $let (param $slot i32) (param $to (ref $expr)) (result (ref $expr))
    (struct.new $assign (i32.const 2) (local.get $slot) (local.get $to)))
  (func $op (param $operator i32) (param $left (ref $expr)) (param $right (ref $expr))
    (result (ref $expr))
    (struct.new $binary (i32.const 3) (local.get $operator) (local.get $left) (local.get $right)))
  (func $if (param $condition (ref $expr)) (param $then (ref $expr)) (param $else (ref $expr))
    (result (ref $expr))
    (struct.new $choice (i32.const 4) (local.get $condition) (local.get $then) (local.get $else)))
  (func $while (param $condition (ref $expr)) (param $body (ref $expr)) (result (ref $expr))
    (struct.new $while (i32.const 5) (local.get $condition) (local.get $body)))
  (func $do2 (param $a (ref $expr)) (param $b (ref $expr)) (result (ref $expr))
    (struct.new $sequence (i32.const 6)
      (array.new_fixed $exprs 2 (local.get $a) (local.get $b))))
  (func $do3 (param $a (ref $expr)) (param $b (ref $expr)) (param $c (ref $expr)) (result (ref $expr))
    (struct.new $sequence (i32.const 6)
      (array.new_fixed $exprs 3 (local.get $a) (local.get $b) (local.get $c))))
  (func $at (param $array (ref $expr)) (param $index (ref $expr)) (result (ref $expr))
    (struct.new $element (i32.const 9) (local.get $array) (local.get $index)))
  (func $put (param $array (ref $expr)) (param $index (ref $expr)) (param $to (ref $expr))
    (result (ref $expr))
    (struct.new $set_element (i32.const 10) (local.get $array) (local.get $index) (local.get $to)))

  ;; fib(n) = if n < 2 then n else fib(n - 1) + fib(n - 2); slot 0 is n.
  (func $fib (result (ref $function))
    (local $fib (ref $function))
    (local.set $fib (struct.new $function (i32.const 1) (ref.null none)))
    (struct.set $function $body (local.get $fib)
      (call $if (call $op (i32.const 2) (call $v (i32.const 0)) (call $n (i32.const 2)))
        (call $v (i32.const 0))
        (call $op (i32.const 0)
          (struct.new $call (i32.const 7) (local.get $fib)
            (array.new_fixed $exprs 1
              (call $op (i32.const 1) (call $v (i32.const 0)) (call $n (i32.const 1)))))
          (struct.new $call (i32.const 7) (local.get $fib)
            (array.new_fixed $exprs 1
              (call $op (i32.const 1) (call $v (i32.const 0)) (call $n (i32.const 2))))))))
    (local.get $fib))

  ;; How many primes below slot 0: 1 the array, 2 and 3 indices, 4 the count.
  (func $sieve (result (ref $function))
    (struct.new $function (i32.const 5)
      (call $do3
        (call $do3
          (call $let (i32.const 1) (struct.new $new_array (i32.const 8) (call $v (i32.const 0))))
          (call $let (i32.const 2) (call $n (i32.const 2)))
          (call $let (i32.const 4) (call $n (i32.const 0))))
        (call $while (call $op (i32.const 2) (call $v (i32.const 2)) (call $v (i32.const 0)))
          (call $do2
            (call $if
              (call $op (i32.const 4)
                (call $at (call $v (i32.const 1)) (call $v (i32.const 2)))
                (call $n (i32.const 0)))
              (call $do3
                (call $let (i32.const 4)
                  (call $op (i32.const 0) (call $v (i32.const 4)) (call $n (i32.const 1))))
                (call $let (i32.const 3)
                  (call $op (i32.const 0) (call $v (i32.const 2)) (call $v (i32.const 2))))
                (call $while
                  (call $op (i32.const 2) (call $v (i32.const 3)) (call $v (i32.const 0)))
                  (call $do2
                    (call $put (call $v (i32.const 1)) (call $v (i32.const 3))
                      (call $n (i32.const 1)))
                    (call $let (i32.const 3)
                      (call $op (i32.const 0) (call $v (i32.const 3)) (call $v (i32.const 2)))))))
              (call $n (i32.const 0)))
            (call $let (i32.const 2)
              (call $op (i32.const 0) (call $v (i32.const 2)) (call $n (i32.const 1))))))
        (call $v (i32.const 4)))))

  ;; The sum of i * (i - n) for i below n, which is slot 0: 1 is i, 2 the sum.
  (func $loop (result (ref $function))
    (struct.new $function (i32.const 3)
      (call $do3
        (call $do2
          (call $let (i32.const 1) (call $n (i32.const 0)))
          (call $let (i32.const 2) (call $n (i32.const 0))))
        (call $while (call $op (i32.const 2) (call $v (i32.const 1)) (call $v (i32.const 0)))
          (call $do2
            (call $let (i32.const 2)
              (call $op (i32.const 0) (call $v (i32.const 2))
                (call $op (i32.const 3) (call $v (i32.const 1))
                  (call $op (i32.const 1) (call $v (i32.const 1)) (call $v (i32.const 0))))))
            (call $let (i32.const 1)
              (call $op (i32.const 0) (call $v (i32.const 1)) (call $n (i32.const 1))))))
        (call $v (i32.const 2)))))

  (func $result_of (param $function (ref $function)) (param $argument i32) (result i32)
    (call $int
      (call $eval
        (struct.new $call (i32.const 7) (local.get $function)
          (array.new_fixed $exprs 1 (call $n (local.get $argument))))
        (array.new_fixed $values 0))))

  (func (export "run") (param $rounds i32) (result i32)
    (local $sum i32) (local $fib (ref $function)) (local $sieve (ref $function))
    (local $loop (ref $function))
    (local.set $fib (call $fib))
    (local.set $sieve (call $sieve))
    (local.set $loop (call $loop))
    (loop $round
      (local.set $sum
        (i32.add
          (i32.mul (local.get $sum) (i32.const 31))
          (i32.add
            (call $result_of (local.get $fib) (i32.const 22))
            (i32.add
              (call $result_of (local.get $sieve) (i32.const 30000))
              (call $result_of (local.get $loop) (i32.const 50000))))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
