;; Closures as functional languages have them: programs in continuation-passing style, whose every
;; call is a return_call_ref and whose frames are objects, and long chains of composed functions.
;; rounds: 30
(module
  (rec
    (type $code (func (param (ref $closure) i32) (result i32)))
    (type $closure (sub (struct (field $code (ref $code))))))
  (type $frame (sub final $closure (struct
    (field $code (ref $code)) (field $n i32) (field $then (ref $closure)))))
  (type $composed (sub final $closure (struct
    (field $code (ref $code)) (field $first (ref $closure)) (field $second (ref $closure)))))
  (type $adder (sub final $closure (struct (field $code (ref $code)) (field $amount i32))))
  (type $triple (sub final $closure (struct
    (field $code (ref $code)) (field $x i32) (field $y i32) (field $z i32)
    (field $a (mut i32)) (field $b (mut i32)) (field $then (ref $closure)))))

  (elem declare func $returned $fib_first $fib_second $tak_first $tak_second $tak_third
    $apply_composed $apply_adder $apply_multiplier)

  (func $returned (type $code) (param $this (ref $closure)) (param $value i32) (result i32)
    (local.get $value))

  ;; fib: two frames for each call.
  (func $fib (param $n i32) (param $then (ref $closure)) (result i32)
    (if (i32.lt_u (local.get $n) (i32.const 2))
      (then
        (return_call_ref $code (local.get $then) (local.get $n)
          (struct.get $closure $code (local.get $then)))))
    (return_call $fib (i32.sub (local.get $n) (i32.const 1))
      (struct.new $frame (ref.func $fib_first) (local.get $n) (local.get $then))))
  (func $fib_first (type $code) (param $this (ref $closure)) (param $value i32) (result i32)
    (local $frame (ref $frame))
    (local.set $frame (ref.cast (ref $frame) (local.get $this)))
    (return_call $fib
      (i32.sub (struct.get $frame $n (local.get $frame)) (i32.const 2))
      (struct.new $frame (ref.func $fib_second) (local.get $value)
        (struct.get $frame $then (local.get $frame)))))
  (func $fib_second (type $code) (param $this (ref $closure)) (param $value i32) (result i32)
    (local $frame (ref $frame)) (local $then (ref $closure))
    (local.set $frame (ref.cast (ref $frame) (local.get $this)))
    (local.set $then (struct.get $frame $then (local.get $frame)))
    (return_call_ref $code
      (local.get $then)
      (i32.add (local.get $value) (struct.get $frame $n (local.get $frame)))
      (struct.get $closure $code (local.get $then))))

  ;; tak: one frame that is filled while its parts are computed.
  (func $tak (param $x i32) (param $y i32) (param $z i32) (param $then (ref $closure)) (result i32)
    (if (i32.ge_s (local.get $y) (local.get $x))
      (then
        (return_call_ref $code (local.get $then) (local.get $z)
          (struct.get $closure $code (local.get $then)))))
    (return_call $tak
      (i32.sub (local.get $x) (i32.const 1)) (local.get $y) (local.get $z)
      (struct.new $triple (ref.func $tak_first) (local.get $x) (local.get $y) (local.get $z)
        (i32.const 0) (i32.const 0) (local.get $then))))
  (func $tak_first (type $code) (param $this (ref $closure)) (param $value i32) (result i32)
    (local $f (ref $triple))
    (local.set $f (ref.cast (ref $triple) (local.get $this)))
    (return_call $tak
      (i32.sub (struct.get $triple $y (local.get $f)) (i32.const 1))
      (struct.get $triple $z (local.get $f))
      (struct.get $triple $x (local.get $f))
      (struct.new $triple (ref.func $tak_second)
        (struct.get $triple $x (local.get $f)) (struct.get $triple $y (local.get $f))
        (struct.get $triple $z (local.get $f)) (local.get $value) (i32.const 0)
        (struct.get $triple $then (local.get $f)))))
  (func $tak_second (type $code) (param $this (ref $closure)) (param $value i32) (result i32)
    (local $f (ref $triple))
    (local.set $f (ref.cast (ref $triple) (local.get $this)))
    (return_call $tak
      (i32.sub (struct.get $triple $z (local.get $f)) (i32.const 1))
      (struct.get $triple $x (local.get $f))
      (struct.get $triple $y (local.get $f))
      (struct.new $triple (ref.func $tak_third)
        (struct.get $triple $x (local.get $f)) (struct.get $triple $y (local.get $f))
        (struct.get $triple $z (local.get $f)) (struct.get $triple $a (local.get $f))
        (local.get $value) (struct.get $triple $then (local.get $f)))))
  (func $tak_third (type $code) (param $this (ref $closure)) (param $value i32) (result i32)
    (local $f (ref $triple))
    (local.set $f (ref.cast (ref $triple) (local.get $this)))
    (return_call $tak
      (struct.get $triple $a (local.get $f)) (struct.get $triple $b (local.get $f))
      (local.get $value) (struct.get $triple $then (local.get $f))))

  ;; Composition: the second of the two is a tail call.
  (func $apply (param $closure (ref $closure)) (param $value i32) (result i32)
    (return_call_ref $code (local.get $closure) (local.get $value)
      (struct.get $closure $code (local.get $closure))))
  (func $apply_composed (type $code) (param $this (ref $closure)) (param $value i32) (result i32)
    (local $pair (ref $composed))
    (local.set $pair (ref.cast (ref $composed) (local.get $this)))
    (return_call $apply
      (struct.get $composed $second (local.get $pair))
      (call $apply (struct.get $composed $first (local.get $pair)) (local.get $value))))
  (func $apply_adder (type $code) (param $this (ref $closure)) (param $value i32) (result i32)
    (i32.add
      (local.get $value)
      (struct.get $adder $amount (ref.cast (ref $adder) (local.get $this)))))
  (func $apply_multiplier (type $code) (param $this (ref $closure)) (param $value i32) (result i32)
    (i32.mul
      (local.get $value)
      (struct.get $adder $amount (ref.cast (ref $adder) (local.get $this)))))

  ;; A chain of `length` closures, anew for each use, applied to a hundred values.
  (func $chain (param $length i32) (param $seed i32) (result i32)
    (local $chain (ref $closure)) (local $i i32) (local $sum i32)
    (local.set $chain (struct.new $adder (ref.func $apply_adder) (local.get $seed)))
    (loop $longer
      (local.set $chain
        (struct.new $composed (ref.func $apply_composed)
          (struct.new $adder
            (select (result (ref $code)) (ref.func $apply_adder) (ref.func $apply_multiplier)
              (i32.and (local.get $length) (i32.const 1)))
            (i32.or (local.get $length) (i32.const 1)))
          (local.get $chain)))
      (br_if $longer (local.tee $length (i32.sub (local.get $length) (i32.const 1)))))
    (loop $next
      (local.set $sum (i32.xor (local.get $sum) (call $apply (local.get $chain) (local.get $i))))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (i32.const 100))))
    (local.get $sum))

  (func $chains (param $count i32) (result i32)
    (local $sum i32)
    (loop $next
      (local.set $sum
        (i32.add (local.get $sum) (call $chain (i32.const 50) (local.get $count))))
      (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
    (local.get $sum))

  (func (export "run") (param $rounds i32) (result i32)
    (local $sum i32) (local $end (ref $closure))
    (local.set $end (struct.new $closure (ref.func $returned)))
    (loop $round
      (local.set $sum
        (i32.add
          (i32.mul (local.get $sum) (i32.const 31))
          (i32.add
            (call $fib (i32.const 25) (local.get $end))
            (i32.add
              (call $tak (i32.const 18) (i32.const 12) (i32.const 6) (local.get $end))
              (call $chains (i32.const 500))))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
