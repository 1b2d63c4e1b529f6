;; Objects and their descriptors through collections, and casts of everything that is none.

(module
  (rec
    (type $a (sub (descriptor $a.desc) (struct (field $x (mut i32)))))
    (type $a.desc (sub (describes $a) (descriptor $a.meta) (struct (field $name i32))))
    (type $a.meta (sub (describes $a.desc) (struct)))
    (type $b (sub $a (descriptor $b.desc) (struct (field $x (mut i32)) (field $next (mut anyref)) (field $y i64))))
    (type $b.desc (sub $a.desc (describes $b) (descriptor $meta) (struct (field $name i32) (field $more anyref))))
    (type $meta (sub $a.meta (describes $b.desc) (struct (field $tag f64)))))
  (type $plain (sub (struct (field i32))))
  (type $bytes (array i8))

  (global $meta (ref (exact $meta)) (struct.new $meta (f64.const 2.5)))
  (global $b.desc (ref (exact $b.desc))
    (struct.new_desc $b.desc (i32.const 7) (ref.i31 (i32.const 70)) (global.get $meta)))
  (global $default (ref (exact $b)) (struct.new_default_desc $b (global.get $b.desc)))
  (global $list (mut anyref) (ref.null none))

  ;; A list of objects that all have descriptors of their own, and as much garbage beside it.
  (func (export "build") (param $count i32)
    (local $i i32)
    (loop $again
      (global.set $list
        (struct.new_desc $b
          (local.get $i)
          (global.get $list)
          (i64.extend_i32_u (i32.mul (local.get $i) (i32.const 3)))
          (struct.new_desc $b.desc
            (i32.add (local.get $i) (i32.const 1))
            (struct.new $plain (local.get $i))
            (struct.new $meta (f64.convert_i32_u (local.get $i))))))
      (drop (struct.new_default_desc $b (struct.new_default_desc $b.desc (global.get $meta))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (local.get $count)))))

  ;; Garbage enough for several collections.
  (func (export "churn") (local $i i32)
    (loop $again
      (drop (array.new_default $bytes (i32.const 20000)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 500)))))

  ;; Objects in which everything is as it was built.
  (func (export "count") (result i32)
    (local $at (ref null $b)) (local $sum i32) (local $x i32) (local $desc (ref $b.desc))
    (local.set $at (ref.cast (ref null $b) (global.get $list)))
    (block $end
      (loop $again
        (br_if $end (ref.is_null (local.get $at)))
        (local.set $x (struct.get $b $x (local.get $at)))
        (local.set $desc (ref.get_desc $b (local.get $at)))
        (local.set $sum (i32.add (local.get $sum)
          (i32.and
            (i32.and
              (i64.eq (struct.get $b $y (local.get $at))
                (i64.extend_i32_u (i32.mul (local.get $x) (i32.const 3))))
              (i32.eq (struct.get $b.desc $name (local.get $desc))
                (i32.add (local.get $x) (i32.const 1))))
            (i32.and
              (f64.eq (struct.get $meta $tag (ref.get_desc $b.desc (local.get $desc)))
                (f64.convert_i32_u (local.get $x)))
              (i32.eq (struct.get $plain 0
                  (ref.cast (ref $plain) (struct.get $b.desc $more (local.get $desc))))
                (local.get $x))))))
        (local.set $at (ref.cast (ref null $b) (struct.get $b $next (local.get $at))))
        (br $again)))
    (local.get $sum))

  (func (export "default") (result i32 i64 i32)
    (struct.get $b $x (global.get $default))
    (struct.get $b $y (global.get $default))
    (struct.get $b.desc $name (ref.get_desc $b (global.get $default))))

  ;; Fields of the supertype are where the supertype has them.
  (func (export "through the supertype") (result i32)
    (local $object (ref $a))
    (local.set $object (struct.new_desc $b (i32.const 40) (ref.null none) (i64.const -1) (global.get $b.desc)))
    (struct.set $a $x (local.get $object) (i32.const 41))
    (i32.add (struct.get $a $x (local.get $object))
      (struct.get $a.desc $name (ref.get_desc $a (local.get $object)))))

  (func $cast (param $value anyref) (result i32)
    (block $no (result anyref)
      (drop (br_on_cast_desc_eq_fail $no anyref (ref $b) (local.get $value) (global.get $b.desc)))
      (return (i32.const 1)))
    drop
    (i32.const 0))
  (func (export "cast null") (result i32) (call $cast (ref.null none)))
  (func (export "cast i31") (result i32) (call $cast (ref.i31 (i32.const 7))))
  (func (export "cast array") (result i32) (call $cast (array.new_default $bytes (i32.const 30))))
  (func (export "cast empty array") (result i32) (call $cast (array.new_default $bytes (i32.const 0))))
  (func (export "cast plain") (result i32) (call $cast (struct.new $plain (i32.const 1))))
  (func (export "cast supertype") (result i32)
    (call $cast (struct.new_desc $a (i32.const 1)
      (struct.new_desc $a.desc (i32.const 7) (struct.new $a.meta)))))
  (func (export "cast other descriptor") (result i32)
    (call $cast (struct.new_default_desc $b
      (struct.new_desc $b.desc (i32.const 7) (ref.null none) (global.get $meta)))))
  (func (export "cast descriptor") (result i32) (call $cast (global.get $b.desc)))
  (func (export "cast") (result i32) (call $cast (global.get $default)))
  (func (export "cast host") (param externref) (result i32)
    (call $cast (any.convert_extern (local.get 0))))

  (func (export "trapping cast") (param $which i32) (result i32)
    (local $value anyref)
    (if (local.get $which)
      (then (local.set $value (global.get $default)))
      (else (local.set $value (ref.i31 (i32.const 1)))))
    (struct.get $b $x (ref.cast_desc_eq (ref (exact $b)) (local.get $value) (global.get $b.desc))))
  (func (export "descriptor of null") (result i32)
    (struct.get $a.desc $name (ref.get_desc $a (ref.null none)))))

(assert_return (invoke "build" (i32.const 200)))
(assert_return (invoke "count") (i32.const 200))
(assert_return (invoke "churn"))
(assert_return (invoke "count") (i32.const 200))
(assert_return (invoke "build" (i32.const 100)))
(assert_return (invoke "churn"))
(assert_return (invoke "count") (i32.const 300))
(assert_return (invoke "default") (i32.const 0) (i64.const 0) (i32.const 7))
(assert_return (invoke "through the supertype") (i32.const 48))
(assert_return (invoke "cast null") (i32.const 0))
(assert_return (invoke "cast i31") (i32.const 0))
(assert_return (invoke "cast array") (i32.const 0))
(assert_return (invoke "cast empty array") (i32.const 0))
(assert_return (invoke "cast plain") (i32.const 0))
(assert_return (invoke "cast supertype") (i32.const 0))
(assert_return (invoke "cast other descriptor") (i32.const 0))
(assert_return (invoke "cast descriptor") (i32.const 0))
(assert_return (invoke "cast host" (ref.extern 1)) (i32.const 0))
(assert_return (invoke "cast host" (ref.null extern)) (i32.const 0))
(assert_return (invoke "cast") (i32.const 1))
(assert_return (invoke "trapping cast" (i32.const 1)) (i32.const 0))
(assert_trap (invoke "trapping cast" (i32.const 0)) "descriptor cast failure")
(assert_trap (invoke "descriptor of null") "null reference")

;; A null descriptor fails an instantiation, in every constant expression.
(assert_trap
  (module
    (rec (type $a (descriptor $b) (struct (field i32))) (type $b (describes $a) (struct)))
    (table 1 (ref null $a) (struct.new_default_desc $a (ref.null none))))
  "null descriptor reference")
(assert_trap
  (module
    (rec (type $a (descriptor $b) (struct (field i32))) (type $b (describes $a) (struct)))
    (table 2 (ref null $a))
    (elem (table 0) (i32.const 0) (ref null $a)
      (struct.new_desc $a (i32.const 1) (struct.new $b))
      (struct.new_desc $a (i32.const 1) (ref.null none))))
  "null descriptor reference")
