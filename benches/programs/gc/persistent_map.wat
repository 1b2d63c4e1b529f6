;; A map that never changes: a trie over the bits of the hash whose nodes hold only what is there.
;; Each insertion copies the path to it, nodes of a few references with array.copy, and the old map
;; stays as it was; lookups cast what they find.
;; rounds: 36
(module
  (type $children (array (mut (ref null eq))))
  (type $branch (struct (field $bits i32) (field $children (ref $children))))
  (type $leaf (struct (field $key i32) (field $value (ref eq))))

  (func $hash (param $key i32) (result i32)
    (local.set $key
      (i32.mul
        (i32.xor (local.get $key) (i32.shr_u (local.get $key) (i32.const 16)))
        (i32.const 0x85ebca6b)))
    (i32.xor (local.get $key) (i32.shr_u (local.get $key) (i32.const 13))))

  (func $bit (param $hash i32) (param $shift i32) (result i32)
    (i32.shl
      (i32.const 1)
      (i32.and (i32.shr_u (local.get $hash) (local.get $shift)) (i32.const 31))))
  (func $place (param $bits i32) (param $bit i32) (result i32)
    (i32.popcnt
      (i32.and (local.get $bits) (i32.sub (local.get $bit) (i32.const 1)))))

  ;; A copy with one child replaced.
  (func $replaced (param $branch (ref $branch)) (param $place i32) (param $child (ref eq))
    (result (ref $branch))
    (local $old (ref $children)) (local $new (ref $children))
    (local.set $old (struct.get $branch $children (local.get $branch)))
    (local.set $new (array.new_default $children (array.len (local.get $old))))
    (array.copy $children $children
      (local.get $new) (i32.const 0) (local.get $old) (i32.const 0) (array.len (local.get $old)))
    (array.set $children (local.get $new) (local.get $place) (local.get $child))
    (struct.new $branch (struct.get $branch $bits (local.get $branch)) (local.get $new)))

  ;; A copy with one child more.
  (func $widened (param $branch (ref $branch)) (param $bit i32) (param $child (ref eq))
    (result (ref $branch))
    (local $old (ref $children)) (local $new (ref $children)) (local $place i32)
    (local.set $old (struct.get $branch $children (local.get $branch)))
    (local.set $place
      (call $place (struct.get $branch $bits (local.get $branch)) (local.get $bit)))
    (local.set $new
      (array.new_default $children (i32.add (array.len (local.get $old)) (i32.const 1))))
    (array.copy $children $children
      (local.get $new) (i32.const 0) (local.get $old) (i32.const 0) (local.get $place))
    (array.set $children (local.get $new) (local.get $place) (local.get $child))
    (array.copy $children $children
      (local.get $new) (i32.add (local.get $place) (i32.const 1))
      (local.get $old) (local.get $place)
      (i32.sub (array.len (local.get $old)) (local.get $place)))
    (struct.new $branch
      (i32.or (struct.get $branch $bits (local.get $branch)) (local.get $bit))
      (local.get $new)))

  ;; A branch for two leaves whose hashes agree so far.
  (func $split (param $a (ref $leaf)) (param $b (ref $leaf)) (param $shift i32) (result (ref $branch))
    (local $bit_a i32) (local $bit_b i32)
    (local.set $bit_a
      (call $bit (call $hash (struct.get $leaf $key (local.get $a))) (local.get $shift)))
    (local.set $bit_b
      (call $bit (call $hash (struct.get $leaf $key (local.get $b))) (local.get $shift)))
    (if (i32.eq (local.get $bit_a) (local.get $bit_b))
      (then
        (return
          (struct.new $branch (local.get $bit_a)
            (array.new_fixed $children 1
              (call $split (local.get $a) (local.get $b)
                (i32.add (local.get $shift) (i32.const 5))))))))
    (struct.new $branch
      (i32.or (local.get $bit_a) (local.get $bit_b))
      (if (result (ref $children)) (i32.lt_u (local.get $bit_a) (local.get $bit_b))
        (then (array.new_fixed $children 2 (local.get $a) (local.get $b)))
        (else (array.new_fixed $children 2 (local.get $b) (local.get $a))))))

  (func $with (param $branch (ref $branch)) (param $leaf (ref $leaf)) (param $hash i32)
    (param $shift i32) (result (ref $branch))
    (local $bit i32) (local $place i32) (local $child (ref eq)) (local $found (ref $leaf))
    (local.set $bit (call $bit (local.get $hash) (local.get $shift)))
    (if (i32.eqz (i32.and (struct.get $branch $bits (local.get $branch)) (local.get $bit)))
      (then
        (return (call $widened (local.get $branch) (local.get $bit) (local.get $leaf)))))
    (local.set $place
      (call $place (struct.get $branch $bits (local.get $branch)) (local.get $bit)))
    (local.set $child
      (ref.as_non_null
        (array.get $children (struct.get $branch $children (local.get $branch)) (local.get $place))))
    (local.set $shift (i32.add (local.get $shift) (i32.const 5)))
    (block $is_branch (result (ref $branch))
      (local.set $found
        (ref.cast (ref $leaf)
          (br_on_cast $is_branch (ref eq) (ref $branch) (local.get $child))))
      (return
        (call $replaced (local.get $branch) (local.get $place)
          (if (result (ref eq))
            (i32.eq
              (struct.get $leaf $key (local.get $found))
              (struct.get $leaf $key (local.get $leaf)))
            (then (local.get $leaf))
            (else (call $split (local.get $found) (local.get $leaf) (local.get $shift)))))))
    (drop)
    (call $replaced (local.get $branch) (local.get $place)
      (call $with
        (ref.cast (ref $branch) (local.get $child))
        (local.get $leaf) (local.get $hash) (local.get $shift))))

  (func $find (param $branch (ref $branch)) (param $key i32) (result (ref null eq))
    (local $hash i32) (local $bit i32) (local $child (ref null eq)) (local $leaf (ref $leaf))
    (local.set $hash (call $hash (local.get $key)))
    (loop $down
      (local.set $bit (call $bit (local.get $hash) (i32.const 0)))
      (if (i32.eqz (i32.and (struct.get $branch $bits (local.get $branch)) (local.get $bit)))
        (then (return (ref.null none))))
      (local.set $child
        (array.get $children
          (struct.get $branch $children (local.get $branch))
          (call $place (struct.get $branch $bits (local.get $branch)) (local.get $bit))))
      (local.set $hash (i32.shr_u (local.get $hash) (i32.const 5)))
      (block $is_leaf (result (ref null eq))
        (local.set $branch
          (br_on_cast_fail $is_leaf (ref null eq) (ref $branch) (local.get $child)))
        (br $down))
      (local.set $leaf (ref.cast (ref $leaf)))
      (if (i32.eq (struct.get $leaf $key (local.get $leaf)) (local.get $key))
        (then (return (struct.get $leaf $value (local.get $leaf))))))
    (ref.null none))

  (func $filled (param $map (ref $branch)) (param $count i32) (param $seed i32) (result (ref $branch))
    (local $i i32) (local $key i32)
    (loop $next
      (local.set $key (i32.mul (i32.add (local.get $i) (local.get $seed)) (i32.const 2654435761)))
      (local.set $key (i32.shr_u (local.get $key) (i32.const 14)))
      (local.set $map
        (call $with (local.get $map)
          (struct.new $leaf (local.get $key) (ref.i31 (local.get $i)))
          (call $hash (local.get $key))
          (i32.const 0)))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (local.get $count))))
    (local.get $map))

  (func $sum_of (param $map (ref $branch)) (param $count i32) (result i32)
    (local $i i32) (local $sum i32)
    (loop $next
      (block $absent
        (local.set $sum
          (i32.add
            (i32.mul (local.get $sum) (i32.const 31))
            (i31.get_s
              (ref.cast (ref i31)
                (br_on_null $absent (call $find (local.get $map) (local.get $i))))))))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (local.get $count))))
    (local.get $sum))

  (func $round (param $seed i32) (result i32)
    (local $first (ref $branch)) (local $second (ref $branch))
    (local.set $first
      (call $filled
        (struct.new $branch (i32.const 0) (array.new_fixed $children 0))
        (i32.const 30000) (local.get $seed)))
    (local.set $second
      (call $filled (local.get $first) (i32.const 10000) (i32.const 77777)))
    (i32.add
      (call $sum_of (local.get $first) (i32.const 60000))
      (call $sum_of (local.get $second) (i32.const 60000))))

  (func (export "run") (param $rounds i32) (result i32)
    (local $sum i32)
    (loop $round
      (local.set $sum
        (i32.add (i32.mul (local.get $sum) (i32.const 31)) (call $round (local.get $rounds))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
