;; An ordered map as a red-black tree with parents, as standard libraries have it: insertion with
;; rotations, lookups, a walk in order. Pointers are followed and
;; written all over a tree that grows.
;; rounds: 25
(module
  (type $node (struct
    (field $key i32) (field $value (mut (ref eq)))
    (field $left (mut (ref null $node))) (field $right (mut (ref null $node)))
    (field $parent (mut (ref null $node))) (field $is_red (mut i8))))
  (type $tree (struct (field $root (mut (ref null $node))) (field $count (mut i32))))
  (type $box (struct (field $number i32)))

  (func $rotate_left (param $tree (ref $tree)) (param $node (ref $node))
    (local $up (ref $node)) (local $parent (ref null $node)) (local $inner (ref null $node))
    (local.set $up (ref.as_non_null (struct.get $node $right (local.get $node))))
    (local.set $inner (struct.get $node $left (local.get $up)))
    (struct.set $node $right (local.get $node) (local.get $inner))
    (if (i32.eqz (ref.is_null (local.get $inner)))
      (then (struct.set $node $parent (local.get $inner) (local.get $node))))
    (local.set $parent (struct.get $node $parent (local.get $node)))
    (call $replace (local.get $tree) (local.get $parent) (local.get $node) (local.get $up))
    (struct.set $node $left (local.get $up) (local.get $node))
    (struct.set $node $parent (local.get $node) (local.get $up)))
  (func $rotate_right (param $tree (ref $tree)) (param $node (ref $node))
    (local $up (ref $node)) (local $parent (ref null $node)) (local $inner (ref null $node))
    (local.set $up (ref.as_non_null (struct.get $node $left (local.get $node))))
    (local.set $inner (struct.get $node $right (local.get $up)))
    (struct.set $node $left (local.get $node) (local.get $inner))
    (if (i32.eqz (ref.is_null (local.get $inner)))
      (then (struct.set $node $parent (local.get $inner) (local.get $node))))
    (local.set $parent (struct.get $node $parent (local.get $node)))
    (call $replace (local.get $tree) (local.get $parent) (local.get $node) (local.get $up))
    (struct.set $node $right (local.get $up) (local.get $node))
    (struct.set $node $parent (local.get $node) (local.get $up)))
  ;; Puts one node where another hangs below its parent.
  (func $replace (param $tree (ref $tree)) (param $parent (ref null $node)) (param $old (ref $node))
    (param $new (ref $node))
    (struct.set $node $parent (local.get $new) (local.get $parent))
    (if (ref.is_null (local.get $parent))
      (then
        (struct.set $tree $root (local.get $tree) (local.get $new))
        (return)))
    (if (ref.eq (struct.get $node $left (local.get $parent)) (local.get $old))
      (then (struct.set $node $left (local.get $parent) (local.get $new)))
      (else (struct.set $node $right (local.get $parent) (local.get $new)))))

  (func $is_red (param $node (ref null $node)) (result i32)
    (if (ref.is_null (local.get $node))
      (then (return (i32.const 0))))
    (struct.get_u $node $is_red (local.get $node)))

  (func $balance (param $tree (ref $tree)) (param $node (ref $node))
    (local $parent (ref null $node)) (local $grand (ref null $node)) (local $uncle (ref null $node))
    (local $is_left i32)
    (block $done
      (loop $up
        (local.set $parent (struct.get $node $parent (local.get $node)))
        (br_if $done (i32.eqz (call $is_red (local.get $parent))))
        ;; The root is black, so a red parent has a parent.
        (local.set $grand (struct.get $node $parent (local.get $parent)))
        (local.set $is_left
          (ref.eq (struct.get $node $left (local.get $grand)) (local.get $parent)))
        (local.set $uncle
          (if (result (ref null $node)) (local.get $is_left)
            (then (struct.get $node $right (local.get $grand)))
            (else (struct.get $node $left (local.get $grand)))))
        (if (call $is_red (local.get $uncle))
          (then
            (struct.set $node $is_red (local.get $parent) (i32.const 0))
            (struct.set $node $is_red (local.get $uncle) (i32.const 0))
            (struct.set $node $is_red (local.get $grand) (i32.const 1))
            (local.set $node (ref.as_non_null (local.get $grand)))
            (br $up)))
        (if (local.get $is_left)
          (then
            (if (ref.eq (struct.get $node $right (local.get $parent)) (local.get $node))
              (then
                (local.set $node (ref.as_non_null (local.get $parent)))
                (call $rotate_left (local.get $tree) (local.get $node))
                (local.set $parent (struct.get $node $parent (local.get $node)))))
            (struct.set $node $is_red (local.get $parent) (i32.const 0))
            (struct.set $node $is_red (local.get $grand) (i32.const 1))
            (call $rotate_right (local.get $tree) (ref.as_non_null (local.get $grand))))
          (else
            (if (ref.eq (struct.get $node $left (local.get $parent)) (local.get $node))
              (then
                (local.set $node (ref.as_non_null (local.get $parent)))
                (call $rotate_right (local.get $tree) (local.get $node))
                (local.set $parent (struct.get $node $parent (local.get $node)))))
            (struct.set $node $is_red (local.get $parent) (i32.const 0))
            (struct.set $node $is_red (local.get $grand) (i32.const 1))
            (call $rotate_left (local.get $tree) (ref.as_non_null (local.get $grand)))))
        (br $up)))
    (struct.set $node $is_red (struct.get $tree $root (local.get $tree)) (i32.const 0)))

  (func $insert (param $tree (ref $tree)) (param $key i32) (param $value (ref eq))
    (local $at (ref null $node)) (local $parent (ref null $node)) (local $new (ref $node))
    (local.set $at (struct.get $tree $root (local.get $tree)))
    (block $empty
      (loop $down
        (br_if $empty (ref.is_null (local.get $at)))
        (local.set $parent (local.get $at))
        (if (i32.eq (local.get $key) (struct.get $node $key (local.get $at)))
          (then
            (struct.set $node $value (local.get $at) (local.get $value))
            (return)))
        (local.set $at
          (if (result (ref null $node))
            (i32.lt_u (local.get $key) (struct.get $node $key (local.get $at)))
            (then (struct.get $node $left (local.get $at)))
            (else (struct.get $node $right (local.get $at)))))
        (br $down)))
    (local.set $new
      (struct.new $node (local.get $key) (local.get $value) (ref.null none) (ref.null none)
        (local.get $parent) (i32.const 1)))
    (struct.set $tree $count (local.get $tree)
      (i32.add (struct.get $tree $count (local.get $tree)) (i32.const 1)))
    (if (ref.is_null (local.get $parent))
      (then (struct.set $tree $root (local.get $tree) (local.get $new)))
      (else
        (if (i32.lt_u (local.get $key) (struct.get $node $key (local.get $parent)))
          (then (struct.set $node $left (local.get $parent) (local.get $new)))
          (else (struct.set $node $right (local.get $parent) (local.get $new))))))
    (call $balance (local.get $tree) (local.get $new)))

  (func $find (param $tree (ref $tree)) (param $key i32) (result (ref null eq))
    (local $at (ref null $node))
    (local.set $at (struct.get $tree $root (local.get $tree)))
    (loop $down
      (if (ref.is_null (local.get $at))
        (then (return (ref.null none))))
      (if (i32.eq (local.get $key) (struct.get $node $key (local.get $at)))
        (then (return (struct.get $node $value (local.get $at)))))
      (local.set $at
        (if (result (ref null $node))
          (i32.lt_u (local.get $key) (struct.get $node $key (local.get $at)))
          (then (struct.get $node $left (local.get $at)))
          (else (struct.get $node $right (local.get $at)))))
      (br $down))
    (unreachable))

  (func $first (param $tree (ref $tree)) (result (ref null $node))
    (local $at (ref null $node)) (local $next (ref null $node))
    (local.set $next (struct.get $tree $root (local.get $tree)))
    (loop $down
      (if (ref.is_null (local.get $next))
        (then (return (local.get $at))))
      (local.set $at (local.get $next))
      (local.set $next (struct.get $node $left (local.get $at)))
      (br $down))
    (unreachable))
  (func $after (param $node (ref $node)) (result (ref null $node))
    (local $at (ref null $node)) (local $next (ref null $node))
    (local.set $next (struct.get $node $right (local.get $node)))
    (if (i32.eqz (ref.is_null (local.get $next)))
      (then
        (loop $down
          (local.set $at (local.get $next))
          (local.set $next (struct.get $node $left (local.get $at)))
          (br_if $down (i32.eqz (ref.is_null (local.get $next)))))
        (return (local.get $at))))
    (local.set $at (local.get $node))
    (loop $up
      (local.set $next (struct.get $node $parent (local.get $at)))
      (if (ref.is_null (local.get $next))
        (then (return (ref.null none))))
      (if (ref.eq (struct.get $node $left (local.get $next)) (local.get $at))
        (then (return (local.get $next))))
      (local.set $at (local.get $next))
      (br $up))
    (unreachable))

  (func $number (param $value (ref eq)) (result i32)
    (block $is_box (result (ref $box))
      (return
        (i31.get_s
          (ref.cast (ref i31)
            (br_on_cast $is_box (ref eq) (ref $box) (local.get $value))))))
    (struct.get $box $number))

  (func $sum_in_order (param $tree (ref $tree)) (result i32)
    (local $at (ref null $node)) (local $sum i32)
    (local.set $at (call $first (local.get $tree)))
    (block $done
      (loop $next
        (br_if $done (ref.is_null (local.get $at)))
        (local.set $sum
          (i32.add
            (i32.mul (local.get $sum) (i32.const 31))
            (i32.add
              (struct.get $node $key (local.get $at))
              (call $number (struct.get $node $value (local.get $at))))))
        (local.set $at (call $after (ref.as_non_null (local.get $at))))
        (br $next)))
    (local.get $sum))

  (func $round (param $seed i32) (result i32)
    (local $tree (ref $tree)) (local $i i32) (local $key i32) (local $sum i32)
    (local.set $tree (struct.new $tree (ref.null none) (i32.const 0)))
    (local.set $key (local.get $seed))
    (loop $next
      (local.set $key
        (i32.add (i32.mul (local.get $key) (i32.const 1664525)) (i32.const 1013904223)))
      (call $insert (local.get $tree)
        (i32.and (i32.shr_u (local.get $key) (i32.const 12)) (i32.const 0x3ffff))
        (if (result (ref eq)) (i32.and (local.get $i) (i32.const 1))
          (then (struct.new $box (local.get $i)))
          (else (ref.i31 (local.get $i)))))
      (br_if $next
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 60000))))
    (local.set $sum (call $sum_in_order (local.get $tree)))
    (local.set $i (i32.const 0))
    (loop $look
      (block $absent
        (local.set $sum
          (i32.add
            (local.get $sum)
            (call $number
              (br_on_null $absent
                (call $find (local.get $tree) (i32.mul (local.get $i) (i32.const 5))))))))
      (br_if $look
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 50000))))
    (i32.add (local.get $sum) (struct.get $tree $count (local.get $tree))))

  (func (export "run") (param $rounds i32) (result i32)
    (local $sum i32)
    (loop $round
      (local.set $sum
        (i32.add (i32.mul (local.get $sum) (i32.const 31)) (call $round (local.get $rounds))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
