;; A hierarchy of classes as compilers of object-oriented languages lay it out: each object begins
;; with its table of methods, a method casts its receiver to its own class, tables have subtypes of
;; their own. Dispatch through call_ref, casts, fields; nearly nothing is allocated.
;; rounds: 6000
(module
  (rec
    (type $area_of (func (param (ref $shape)) (result f64)))
    (type $grow_by (func (param (ref $shape) f64)))
    (type $meets_with (func (param (ref $shape) (ref $shape)) (result i32)))
    (type $methods (sub (struct
      (field $area (ref $area_of)) (field $grow (ref $grow_by)) (field $meets (ref $meets_with)))))
    (type $shape (sub (struct
      (field $methods (ref $methods)) (field $x (mut f64)) (field $y (mut f64)))))
    (type $box_methods (sub $methods (struct
      (field $area (ref $area_of)) (field $grow (ref $grow_by)) (field $meets (ref $meets_with))
      (field $edge (ref $area_of)))))
    (type $box (sub $shape (struct
      (field $methods (ref $box_methods)) (field $x (mut f64)) (field $y (mut f64))
      (field $w (mut f64)) (field $h (mut f64)))))
    (type $square (sub final $box (struct
      (field $methods (ref $box_methods)) (field $x (mut f64)) (field $y (mut f64))
      (field $w (mut f64)) (field $h (mut f64)) (field $turned (mut i32)))))
    (type $circle (sub final $shape (struct
      (field $methods (ref $methods)) (field $x (mut f64)) (field $y (mut f64))
      (field $r (mut f64)))))
    (type $pair (sub final $shape (struct
      (field $methods (ref $methods)) (field $x (mut f64)) (field $y (mut f64))
      (field $first (mut (ref $shape))) (field $second (mut (ref $shape)))))))
  (type $shapes (array (mut (ref null $shape))))

  (global $box_table (ref $box_methods) (struct.new $box_methods
    (ref.func $box_area) (ref.func $box_grow) (ref.func $box_meets) (ref.func $box_edge)))
  (global $square_table (ref $box_methods) (struct.new $box_methods
    (ref.func $box_area) (ref.func $square_grow) (ref.func $box_meets) (ref.func $square_edge)))
  (global $circle_table (ref $methods) (struct.new $methods
    (ref.func $circle_area) (ref.func $circle_grow) (ref.func $circle_meets)))
  (global $pair_table (ref $methods) (struct.new $methods
    (ref.func $pair_area) (ref.func $pair_grow) (ref.func $pair_meets)))

  (func $box_area (type $area_of) (param $this (ref $shape)) (result f64)
    (local $box (ref $box))
    (local.set $box (ref.cast (ref $box) (local.get $this)))
    (f64.mul (struct.get $box $w (local.get $box)) (struct.get $box $h (local.get $box))))
  (func $box_grow (type $grow_by) (param $this (ref $shape)) (param $by f64)
    (local $box (ref $box))
    (local.set $box (ref.cast (ref $box) (local.get $this)))
    (struct.set $box $w (local.get $box)
      (f64.mul (struct.get $box $w (local.get $box)) (local.get $by)))
    (struct.set $box $h (local.get $box)
      (f64.mul (struct.get $box $h (local.get $box)) (local.get $by))))
  (func $box_edge (type $area_of) (param $this (ref $shape)) (result f64)
    (local $box (ref $box))
    (local.set $box (ref.cast (ref $box) (local.get $this)))
    (f64.mul
      (f64.const 2)
      (f64.add (struct.get $box $w (local.get $box)) (struct.get $box $h (local.get $box)))))
  (func $box_meets (type $meets_with) (param $this (ref $shape)) (param $other (ref $shape))
    (result i32)
    (local $box (ref $box)) (local $second (ref $box)) (local $circle (ref $circle))
    (local.set $box (ref.cast (ref $box) (local.get $this)))
    ;; Another box: edges; a circle: its radius; anything else decides itself.
    (block $no_box (result (ref $shape))
      (local.set $second
        (br_on_cast_fail $no_box (ref $shape) (ref $box) (local.get $other)))
      (return
        (f64.lt
          (f64.abs (f64.sub (struct.get $box $x (local.get $box)) (struct.get $box $x (local.get $second))))
          (f64.add (struct.get $box $w (local.get $box)) (struct.get $box $w (local.get $second))))))
    (block $no_circle (param (ref $shape)) (result (ref $shape))
      (local.set $circle (br_on_cast_fail $no_circle (ref $shape) (ref $circle)))
      (return
        (f64.lt
          (f64.abs (f64.sub (struct.get $box $y (local.get $box)) (struct.get $circle $y (local.get $circle))))
          (f64.add (struct.get $box $h (local.get $box)) (struct.get $circle $r (local.get $circle))))))
    (drop)
    (call_ref $meets_with (local.get $other) (local.get $this)
      (struct.get $methods $meets (struct.get $shape $methods (local.get $other)))))

  (func $square_grow (type $grow_by) (param $this (ref $shape)) (param $by f64)
    (local $square (ref $square))
    (local.set $square (ref.cast (ref $square) (local.get $this)))
    (struct.set $square $w (local.get $square)
      (f64.mul (struct.get $square $w (local.get $square)) (local.get $by)))
    (struct.set $square $h (local.get $square) (struct.get $square $w (local.get $square)))
    (struct.set $square $turned (local.get $square)
      (i32.xor (struct.get $square $turned (local.get $square)) (i32.const 1))))
  (func $square_edge (type $area_of) (param $this (ref $shape)) (result f64)
    (f64.mul (f64.const 4) (struct.get $square $w (ref.cast (ref $square) (local.get $this)))))

  (func $circle_area (type $area_of) (param $this (ref $shape)) (result f64)
    (local $r f64)
    (local.set $r (struct.get $circle $r (ref.cast (ref $circle) (local.get $this))))
    (f64.mul (f64.const 3.140625) (f64.mul (local.get $r) (local.get $r))))
  (func $circle_grow (type $grow_by) (param $this (ref $shape)) (param $by f64)
    (local $circle (ref $circle))
    (local.set $circle (ref.cast (ref $circle) (local.get $this)))
    (struct.set $circle $r (local.get $circle)
      (f64.mul (struct.get $circle $r (local.get $circle)) (local.get $by))))
  (func $circle_meets (type $meets_with) (param $this (ref $shape)) (param $other (ref $shape))
    (result i32)
    (local $circle (ref $circle))
    (local.set $circle (ref.cast (ref $circle) (local.get $this)))
    (f64.lt
      (f64.abs (f64.sub (struct.get $circle $x (local.get $circle)) (struct.get $shape $x (local.get $other))))
      (struct.get $circle $r (local.get $circle))))

  (func $pair_area (type $area_of) (param $this (ref $shape)) (result f64)
    (local $pair (ref $pair))
    (local.set $pair (ref.cast (ref $pair) (local.get $this)))
    (f64.add
      (call $area (struct.get $pair $first (local.get $pair)))
      (call $area (struct.get $pair $second (local.get $pair)))))
  (func $pair_grow (type $grow_by) (param $this (ref $shape)) (param $by f64)
    (local $pair (ref $pair)) (local $first (ref $shape))
    (local.set $pair (ref.cast (ref $pair) (local.get $this)))
    (local.set $first (struct.get $pair $first (local.get $pair)))
    (struct.set $pair $first (local.get $pair) (struct.get $pair $second (local.get $pair)))
    (struct.set $pair $second (local.get $pair) (local.get $first))
    (call $grow (local.get $first) (local.get $by)))
  (func $pair_meets (type $meets_with) (param $this (ref $shape)) (param $other (ref $shape))
    (result i32)
    (local $pair (ref $pair))
    (local.set $pair (ref.cast (ref $pair) (local.get $this)))
    (i32.or
      (ref.eq (struct.get $pair $first (local.get $pair)) (local.get $other))
      (f64.lt (struct.get $pair $x (local.get $pair)) (struct.get $shape $x (local.get $other)))))

  (func $area (param $shape (ref $shape)) (result f64)
    (call_ref $area_of (local.get $shape)
      (struct.get $methods $area (struct.get $shape $methods (local.get $shape)))))
  (func $grow (param $shape (ref $shape)) (param $by f64)
    (call_ref $grow_by (local.get $shape) (local.get $by)
      (struct.get $methods $grow (struct.get $shape $methods (local.get $shape)))))
  (func $meets (param $shape (ref $shape)) (param $other (ref $shape)) (result i32)
    (call_ref $meets_with (local.get $shape) (local.get $other)
      (struct.get $methods $meets (struct.get $shape $methods (local.get $shape)))))
  ;; Of boxes alone, and so behind a cast at the caller.
  (func $edge (param $shape (ref $shape)) (result f64)
    (local $box (ref $box))
    (block $no_box (result (ref $shape))
      (local.set $box (br_on_cast_fail $no_box (ref $shape) (ref $box) (local.get $shape)))
      (return
        (call_ref $area_of (local.get $box)
          (struct.get $box_methods $edge (struct.get $box $methods (local.get $box))))))
    (drop)
    (f64.const 0))

  (func $make (param $i i32) (param $others (ref $shapes)) (result (ref $shape))
    (local $x f64) (local $y f64) (local $size f64) (local $kind i32)
    (local.set $kind (i32.rem_u (i32.mul (local.get $i) (i32.const 0x9e3779b1)) (i32.const 7)))
    (local.set $x (f64.convert_i32_u (i32.and (local.get $i) (i32.const 63))))
    (local.set $y (f64.convert_i32_u (i32.shr_u (local.get $i) (i32.const 6))))
    (local.set $size (f64.convert_i32_u (i32.add (i32.and (local.get $i) (i32.const 15)) (i32.const 1))))
    (if (i32.and (i32.eqz (local.get $kind)) (i32.gt_u (local.get $i) (i32.const 8)))
      (then
        (return
          (struct.new $pair (global.get $pair_table) (local.get $x) (local.get $y)
            (ref.as_non_null (array.get $shapes (local.get $others) (i32.shr_u (local.get $i) (i32.const 1))))
            (ref.as_non_null (array.get $shapes (local.get $others) (i32.shr_u (local.get $i) (i32.const 2))))))))
    (if (i32.le_u (local.get $kind) (i32.const 2))
      (then
        (return
          (struct.new $circle (global.get $circle_table) (local.get $x) (local.get $y) (local.get $size)))))
    (if (i32.le_u (local.get $kind) (i32.const 4))
      (then
        (return
          (struct.new $square (global.get $square_table) (local.get $x) (local.get $y)
            (local.get $size) (local.get $size) (i32.const 0)))))
    (struct.new $box (global.get $box_table) (local.get $x) (local.get $y)
      (local.get $size) (f64.add (local.get $size) (f64.const 0.5))))

  (func $pass (param $shapes (ref $shapes)) (param $by f64) (result f64)
    (local $i i32) (local $last i32) (local $shape (ref $shape)) (local $sum f64)
    (local.set $last (i32.sub (array.len (local.get $shapes)) (i32.const 1)))
    (loop $next
      (local.set $shape (ref.as_non_null (array.get $shapes (local.get $shapes) (local.get $i))))
      (call $grow (local.get $shape) (local.get $by))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (local.set $sum
        (f64.add
          (f64.add (local.get $sum) (call $area (local.get $shape)))
          (f64.add
            (call $edge (local.get $shape))
            (f64.convert_i32_s
              (call $meets (local.get $shape)
                (ref.as_non_null (array.get $shapes (local.get $shapes) (local.get $i))))))))
      (br_if $next (i32.lt_u (local.get $i) (local.get $last))))
    (local.get $sum))

  (func (export "run") (param $rounds i32) (result i64)
    (local $shapes (ref $shapes)) (local $i i32) (local $sum i64)
    (local.set $shapes (array.new_default $shapes (i32.const 4096)))
    (loop $next
      (array.set $shapes (local.get $shapes) (local.get $i)
        (call $make (local.get $i) (local.get $shapes)))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (i32.const 4096))))
    (loop $round
      (local.set $sum
        (i64.add
          (i64.mul (local.get $sum) (i64.const 31))
          (i64.trunc_sat_f64_s
            (call $pass (local.get $shapes)
              (select (f64.const 1.0625) (f64.const 0.9375)
                (i32.and (local.get $rounds) (i32.const 2)))))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
