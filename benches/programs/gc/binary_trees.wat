;; Many short-lived trees of growing depth beside one that lives long: allocation, recursion, and
;; a collector that copies little.
;; rounds: 3
(module
  (type $node (struct (field $left (ref null $node)) (field $right (ref null $node))))

  (func $grown (param $depth i32) (result (ref $node))
    (if (i32.eqz (local.get $depth))
      (then (return (struct.new_default $node))))
    (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
    (struct.new $node (call $grown (local.get $depth)) (call $grown (local.get $depth))))

  (func $count (param $tree (ref $node)) (result i32)
    (local $left (ref null $node))
    (local.set $left (struct.get $node $left (local.get $tree)))
    (if (ref.is_null (local.get $left))
      (then (return (i32.const 1))))
    (i32.add
      (i32.const 1)
      (i32.add
        (call $count (ref.as_non_null (local.get $left)))
        (call $count (ref.as_non_null (struct.get $node $right (local.get $tree)))))))

  ;; Trees of one depth, as many as make the work of each depth equal.
  (func $many (param $depth i32) (param $deepest i32) (result i32)
    (local $left i32) (local $sum i32)
    (local.set $left
      (i32.shl
        (i32.const 1)
        (i32.add (i32.sub (local.get $deepest) (local.get $depth)) (i32.const 4))))
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (call $count (call $grown (local.get $depth)))))
      (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (local.get $sum))

  (func (export "run") (param $rounds i32) (result i32)
    (local $sum i32) (local $depth i32) (local $old (ref null $node))
    (loop $round
      (local.set $sum
        (i32.add (i32.mul (local.get $sum) (i32.const 31)) (call $count (call $grown (i32.const 17)))))
      (local.set $old (call $grown (i32.const 16)))
      (local.set $depth (i32.const 4))
      (loop $deeper
        (local.set $sum (i32.add (local.get $sum) (call $many (local.get $depth) (i32.const 16))))
        (local.set $depth (i32.add (local.get $depth) (i32.const 2)))
        (br_if $deeper (i32.le_u (local.get $depth) (i32.const 16))))
      (local.set $sum
        (i32.add (local.get $sum) (call $count (ref.as_non_null (local.get $old)))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
