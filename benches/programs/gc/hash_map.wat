;; A hash map of objects with chained entries, whose keys say themselves how they are hashed and
;; compared: insertion with growth, lookups by fresh keys, removal, iteration.
;; rounds: 40
(module
  (rec
    (type $hash_of (func (param (ref $object)) (result i32)))
    (type $equals_to (func (param (ref $object) (ref $object)) (result i32)))
    (type $methods (struct (field $hash (ref $hash_of)) (field $equals (ref $equals_to))))
    (type $object (sub (struct (field $methods (ref $methods)))))
    (type $number (sub final $object (struct (field $methods (ref $methods)) (field $value i32))))
    (type $point (sub final $object (struct
      (field $methods (ref $methods)) (field $x i32) (field $y i32) (field $known (mut i32))))))
  (type $entry (struct
    (field $hash i32) (field $key (ref $object)) (field $value (mut (ref null $object)))
    (field $next (mut (ref null $entry)))))
  (type $slots (array (mut (ref null $entry))))
  (type $map (struct (field $slots (mut (ref $slots))) (field $count (mut i32))))

  (global $number_table (ref $methods)
    (struct.new $methods (ref.func $number_hash) (ref.func $number_equals)))
  (global $point_table (ref $methods)
    (struct.new $methods (ref.func $point_hash) (ref.func $point_equals)))

  (func $number_hash (type $hash_of) (param $this (ref $object)) (result i32)
    (i32.mul
      (struct.get $number $value (ref.cast (ref $number) (local.get $this)))
      (i32.const 0x9e3779b1)))
  (func $number_equals (type $equals_to) (param $this (ref $object)) (param $other (ref $object))
    (result i32)
    (block $no_number (result (ref $object))
      (return
        (i32.eq
          (struct.get $number $value
            (br_on_cast_fail $no_number (ref $object) (ref $number) (local.get $other)))
          (struct.get $number $value (ref.cast (ref $number) (local.get $this))))))
    (drop)
    (i32.const 0))
  ;; Remembers its hash, as strings do elsewhere.
  (func $point_hash (type $hash_of) (param $this (ref $object)) (result i32)
    (local $point (ref $point)) (local $hash i32)
    (local.set $point (ref.cast (ref $point) (local.get $this)))
    (local.set $hash (struct.get $point $known (local.get $point)))
    (if (i32.eqz (local.get $hash))
      (then
        (local.set $hash
          (i32.add
            (i32.mul (struct.get $point $x (local.get $point)) (i32.const 0x85ebca6b))
            (i32.mul (struct.get $point $y (local.get $point)) (i32.const 0xc2b2ae35))))
        (struct.set $point $known (local.get $point) (local.get $hash))))
    (local.get $hash))
  (func $point_equals (type $equals_to) (param $this (ref $object)) (param $other (ref $object))
    (result i32)
    (local $a (ref $point)) (local $b (ref $point))
    (local.set $a (ref.cast (ref $point) (local.get $this)))
    (block $no_point (result (ref $object))
      (local.set $b (br_on_cast_fail $no_point (ref $object) (ref $point) (local.get $other)))
      (return
        (i32.and
          (i32.eq (struct.get $point $x (local.get $a)) (struct.get $point $x (local.get $b)))
          (i32.eq (struct.get $point $y (local.get $a)) (struct.get $point $y (local.get $b))))))
    (drop)
    (i32.const 0))

  (func $hash (param $key (ref $object)) (result i32)
    (local $hash i32)
    (local.set $hash
      (call_ref $hash_of (local.get $key)
        (struct.get $methods $hash (struct.get $object $methods (local.get $key)))))
    (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 15))))
  (func $same (param $a (ref $object)) (param $b (ref $object)) (result i32)
    (if (ref.eq (local.get $a) (local.get $b))
      (then (return (i32.const 1))))
    (call_ref $equals_to (local.get $a) (local.get $b)
      (struct.get $methods $equals (struct.get $object $methods (local.get $a)))))

  (func $new_map (result (ref $map))
    (struct.new $map (array.new_default $slots (i32.const 16)) (i32.const 0)))

  (func $grow (param $map (ref $map))
    (local $old (ref $slots)) (local $new (ref $slots)) (local $i i32) (local $place i32)
    (local $entry (ref null $entry)) (local $next (ref null $entry))
    (local.set $old (struct.get $map $slots (local.get $map)))
    (local.set $new (array.new_default $slots (i32.shl (array.len (local.get $old)) (i32.const 1))))
    (loop $slot
      (local.set $entry (array.get $slots (local.get $old) (local.get $i)))
      (block $done
        (loop $chain
          (br_if $done (ref.is_null (local.get $entry)))
          (local.set $next (struct.get $entry $next (local.get $entry)))
          (local.set $place
            (i32.and
              (struct.get $entry $hash (local.get $entry))
              (i32.sub (array.len (local.get $new)) (i32.const 1))))
          (struct.set $entry $next (local.get $entry)
            (array.get $slots (local.get $new) (local.get $place)))
          (array.set $slots (local.get $new) (local.get $place) (local.get $entry))
          (local.set $entry (local.get $next))
          (br $chain)))
      (br_if $slot
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (array.len (local.get $old)))))
    (struct.set $map $slots (local.get $map) (local.get $new)))

  (func $find (param $map (ref $map)) (param $key (ref $object)) (param $hash i32)
    (result (ref null $entry))
    (local $slots (ref $slots)) (local $entry (ref null $entry))
    (local.set $slots (struct.get $map $slots (local.get $map)))
    (local.set $entry
      (array.get $slots (local.get $slots)
        (i32.and (local.get $hash) (i32.sub (array.len (local.get $slots)) (i32.const 1)))))
    (block $done
      (loop $next
        (br_if $done (ref.is_null (local.get $entry)))
        (if (i32.eq (struct.get $entry $hash (local.get $entry)) (local.get $hash))
          (then
            (br_if $done
              (call $same (local.get $key) (struct.get $entry $key (local.get $entry))))))
        (local.set $entry (struct.get $entry $next (local.get $entry)))
        (br $next)))
    (local.get $entry))

  (func $put (param $map (ref $map)) (param $key (ref $object)) (param $value (ref null $object))
    (local $hash i32) (local $entry (ref null $entry)) (local $slots (ref $slots)) (local $place i32)
    (local.set $hash (call $hash (local.get $key)))
    (local.set $entry (call $find (local.get $map) (local.get $key) (local.get $hash)))
    (if (i32.eqz (ref.is_null (local.get $entry)))
      (then
        (struct.set $entry $value (local.get $entry) (local.get $value))
        (return)))
    (local.set $slots (struct.get $map $slots (local.get $map)))
    (local.set $place
      (i32.and (local.get $hash) (i32.sub (array.len (local.get $slots)) (i32.const 1))))
    (array.set $slots (local.get $slots) (local.get $place)
      (struct.new $entry (local.get $hash) (local.get $key) (local.get $value)
        (array.get $slots (local.get $slots) (local.get $place))))
    (struct.set $map $count (local.get $map)
      (i32.add (struct.get $map $count (local.get $map)) (i32.const 1)))
    (if (i32.gt_u
          (struct.get $map $count (local.get $map))
          (i32.sub
            (array.len (local.get $slots))
            (i32.shr_u (array.len (local.get $slots)) (i32.const 2))))
      (then (call $grow (local.get $map)))))

  ;; Null for what is not there.
  (func $get (param $map (ref $map)) (param $key (ref $object)) (result (ref null $object))
    (local $entry (ref null $entry))
    (local.set $entry
      (call $find (local.get $map) (local.get $key) (call $hash (local.get $key))))
    (if (ref.is_null (local.get $entry))
      (then (return (ref.null none))))
    (struct.get $entry $value (local.get $entry)))

  (func $remove (param $map (ref $map)) (param $key (ref $object)) (result i32)
    (local $hash i32) (local $slots (ref $slots)) (local $place i32)
    (local $entry (ref null $entry)) (local $before (ref null $entry))
    (local.set $hash (call $hash (local.get $key)))
    (local.set $slots (struct.get $map $slots (local.get $map)))
    (local.set $place
      (i32.and (local.get $hash) (i32.sub (array.len (local.get $slots)) (i32.const 1))))
    (local.set $entry (array.get $slots (local.get $slots) (local.get $place)))
    (block $found
      (loop $next
        (if (ref.is_null (local.get $entry))
          (then (return (i32.const 0))))
        (if (i32.eq (struct.get $entry $hash (local.get $entry)) (local.get $hash))
          (then
            (br_if $found
              (call $same (local.get $key) (struct.get $entry $key (local.get $entry))))))
        (local.set $before (local.get $entry))
        (local.set $entry (struct.get $entry $next (local.get $entry)))
        (br $next)))
    (if (ref.is_null (local.get $before))
      (then
        (array.set $slots (local.get $slots) (local.get $place)
          (struct.get $entry $next (local.get $entry))))
      (else
        (struct.set $entry $next (local.get $before) (struct.get $entry $next (local.get $entry)))))
    (struct.set $map $count (local.get $map)
      (i32.sub (struct.get $map $count (local.get $map)) (i32.const 1)))
    (i32.const 1))

  ;; Every third key is a point, the others are numbers.
  (func $key (param $i i32) (result (ref $object))
    (if (result (ref $object)) (i32.rem_u (local.get $i) (i32.const 3))
      (then (struct.new $number (global.get $number_table) (local.get $i)))
      (else
        (struct.new $point (global.get $point_table)
          (i32.and (local.get $i) (i32.const 255)) (i32.shr_u (local.get $i) (i32.const 8))
          (i32.const 0)))))

  (func $fill (param $map (ref $map)) (param $from i32) (param $to i32)
    (loop $next
      (call $put (local.get $map) (call $key (local.get $from))
        (struct.new $number (global.get $number_table)
          (i32.xor (local.get $from) (i32.const 0x5555))))
      (br_if $next
        (i32.lt_u
          (local.tee $from (i32.add (local.get $from) (i32.const 1)))
          (local.get $to)))))

  ;; The sum of the values of keys that lie there, half of the keys do not.
  (func $look_up (param $map (ref $map)) (param $to i32) (param $stride i32) (result i32)
    (local $i i32) (local $sum i32) (local $value (ref null $object))
    (loop $next
      (local.set $value
        (call $get (local.get $map)
          (call $key (i32.rem_u (i32.mul (local.get $i) (local.get $stride)) (local.get $to)))))
      (block $absent
        (local.set $sum
          (i32.add
            (local.get $sum)
            (struct.get $number $value
              (ref.cast (ref $number) (br_on_null $absent (local.get $value)))))))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (local.get $to))))
    (local.get $sum))

  (func $remove_odd (param $map (ref $map)) (param $to i32) (result i32)
    (local $i i32) (local $removed i32)
    (local.set $i (i32.const 1))
    (loop $next
      (local.set $removed
        (i32.add
          (local.get $removed)
          (call $remove (local.get $map) (call $key (local.get $i)))))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 2)))
          (local.get $to))))
    (local.get $removed))

  (func $sum_of_all (param $map (ref $map)) (result i32)
    (local $slots (ref $slots)) (local $i i32) (local $entry (ref null $entry)) (local $sum i32)
    (local.set $slots (struct.get $map $slots (local.get $map)))
    (loop $slot
      (local.set $entry (array.get $slots (local.get $slots) (local.get $i)))
      (block $done
        (loop $chain
          (br_if $done (ref.is_null (local.get $entry)))
          (local.set $sum
            (i32.add
              (local.get $sum)
              (struct.get $number $value
                (ref.cast (ref $number) (struct.get $entry $value (local.get $entry))))))
          (local.set $entry (struct.get $entry $next (local.get $entry)))
          (br $chain)))
      (br_if $slot
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (array.len (local.get $slots)))))
    (local.get $sum))

  (func $round (result i32)
    (local $map (ref $map)) (local $sum i32)
    (local.set $map (call $new_map))
    (call $fill (local.get $map) (i32.const 0) (i32.const 50000))
    (local.set $sum (call $look_up (local.get $map) (i32.const 100000) (i32.const 7919)))
    (local.set $sum
      (i32.add
        (i32.mul (local.get $sum) (i32.const 31))
        (call $remove_odd (local.get $map) (i32.const 50000))))
    (local.set $sum
      (i32.add
        (i32.mul (local.get $sum) (i32.const 31))
        (call $look_up (local.get $map) (i32.const 50000) (i32.const 104729))))
    (call $fill (local.get $map) (i32.const 40000) (i32.const 80000))
    (i32.add
      (i32.add (i32.mul (local.get $sum) (i32.const 31)) (call $sum_of_all (local.get $map)))
      (struct.get $map $count (local.get $map))))

  (func (export "run") (param $rounds i32) (result i32)
    (local $sum i32)
    (loop $round
      (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31)) (call $round)))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
