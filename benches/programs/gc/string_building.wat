;; Strings as managed languages have them: arrays of 16-bit units that are appended to a growing
;; buffer, copied out, joined, cut apart, hashed, compared and encoded into arrays of bytes.
;; rounds: 600
(module
  (type $string (array (mut i16)))
  (type $bytes (array (mut i8)))
  (type $builder (struct (field $units (mut (ref $string))) (field $length (mut i32))))
  (type $strings (array (mut (ref null $string))))

  (data $name "k\00e\00y\00-\00")
  (data $parts "v\00a\00l\00u\00e\00 \00\e9\00t\00\e9\00 \00\ac\20")

  (func $new_builder (result (ref $builder))
    (struct.new $builder (array.new_default $string (i32.const 16)) (i32.const 0)))

  ;; Makes room for some more units.
  (func $reserve (param $builder (ref $builder)) (param $more i32)
    (local $old (ref $string)) (local $new (ref $string)) (local $wanted i32) (local $length i32)
    (local.set $old (struct.get $builder $units (local.get $builder)))
    (local.set $length (struct.get $builder $length (local.get $builder)))
    (local.set $wanted (i32.add (local.get $length) (local.get $more)))
    (if (i32.le_u (local.get $wanted) (array.len (local.get $old)))
      (then (return)))
    (if (i32.lt_u (local.get $wanted) (i32.shl (array.len (local.get $old)) (i32.const 1)))
      (then (local.set $wanted (i32.shl (array.len (local.get $old)) (i32.const 1)))))
    (local.set $new (array.new_default $string (local.get $wanted)))
    (array.copy $string $string
      (local.get $new) (i32.const 0) (local.get $old) (i32.const 0) (local.get $length))
    (struct.set $builder $units (local.get $builder) (local.get $new)))

  (func $append_unit (param $builder (ref $builder)) (param $unit i32)
    (local $length i32)
    (call $reserve (local.get $builder) (i32.const 1))
    (local.set $length (struct.get $builder $length (local.get $builder)))
    (array.set $string (struct.get $builder $units (local.get $builder))
      (local.get $length) (local.get $unit))
    (struct.set $builder $length (local.get $builder) (i32.add (local.get $length) (i32.const 1))))

  (func $append (param $builder (ref $builder)) (param $text (ref $string))
    (local $length i32)
    (call $reserve (local.get $builder) (array.len (local.get $text)))
    (local.set $length (struct.get $builder $length (local.get $builder)))
    (array.copy $string $string
      (struct.get $builder $units (local.get $builder)) (local.get $length)
      (local.get $text) (i32.const 0) (array.len (local.get $text)))
    (struct.set $builder $length (local.get $builder)
      (i32.add (local.get $length) (array.len (local.get $text)))))

  (func $to_string (param $builder (ref $builder)) (result (ref $string))
    (local $text (ref $string))
    (local.set $text (array.new_default $string (struct.get $builder $length (local.get $builder))))
    (array.copy $string $string
      (local.get $text) (i32.const 0)
      (struct.get $builder $units (local.get $builder)) (i32.const 0)
      (array.len (local.get $text)))
    (local.get $text))

  ;; Decimal digits, counted first and written from the end.
  (func $decimal (param $number i32) (result (ref $string))
    (local $left i32) (local $digits i32) (local $text (ref $string))
    (local.set $left (local.get $number))
    (loop $count
      (local.set $digits (i32.add (local.get $digits) (i32.const 1)))
      (br_if $count (local.tee $left (i32.div_u (local.get $left) (i32.const 10)))))
    (local.set $text (array.new_default $string (local.get $digits)))
    (loop $write
      (local.set $digits (i32.sub (local.get $digits) (i32.const 1)))
      (array.set $string (local.get $text) (local.get $digits)
        (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
      (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
      (br_if $write (local.get $digits)))
    (local.get $text))

  (func $joined (param $a (ref $string)) (param $b (ref $string)) (result (ref $string))
    (local $text (ref $string))
    (local.set $text
      (array.new_default $string (i32.add (array.len (local.get $a)) (array.len (local.get $b)))))
    (array.copy $string $string
      (local.get $text) (i32.const 0) (local.get $a) (i32.const 0) (array.len (local.get $a)))
    (array.copy $string $string
      (local.get $text) (array.len (local.get $a))
      (local.get $b) (i32.const 0) (array.len (local.get $b)))
    (local.get $text))

  (func $part (param $text (ref $string)) (param $from i32) (param $to i32) (result (ref $string))
    (local $part (ref $string))
    (local.set $part (array.new_default $string (i32.sub (local.get $to) (local.get $from))))
    (array.copy $string $string
      (local.get $part) (i32.const 0) (local.get $text) (local.get $from)
      (array.len (local.get $part)))
    (local.get $part))

  (func $hash (param $text (ref $string)) (result i32)
    (local $i i32) (local $hash i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (array.len (local.get $text))))
        (local.set $hash
          (i32.add
            (i32.mul (local.get $hash) (i32.const 31))
            (array.get_u $string (local.get $text) (local.get $i))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (local.get $hash))

  (func $equal (param $a (ref $string)) (param $b (ref $string)) (result i32)
    (local $i i32)
    (if (ref.eq (local.get $a) (local.get $b))
      (then (return (i32.const 1))))
    (if (i32.ne (array.len (local.get $a)) (array.len (local.get $b)))
      (then (return (i32.const 0))))
    (loop $next
      (if (i32.ge_u (local.get $i) (array.len (local.get $a)))
        (then (return (i32.const 1))))
      (if (i32.ne
            (array.get_u $string (local.get $a) (local.get $i))
            (array.get_u $string (local.get $b) (local.get $i)))
        (then (return (i32.const 0))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next))
    (unreachable))

  (func $index_of (param $text (ref $string)) (param $unit i32) (param $from i32) (result i32)
    (loop $next
      (if (i32.ge_u (local.get $from) (array.len (local.get $text)))
        (then (return (i32.const -1))))
      (if (i32.eq (array.get_u $string (local.get $text) (local.get $from)) (local.get $unit))
        (then (return (local.get $from))))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (br $next))
    (unreachable))

  ;; UTF-8 of units below the surrogates, into an array with room for the worst case.
  (func $encode (param $text (ref $string)) (param $out (ref $bytes)) (result i32)
    (local $i i32) (local $at i32) (local $unit i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (array.len (local.get $text))))
        (local.set $unit (array.get_u $string (local.get $text) (local.get $i)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (if (i32.lt_u (local.get $unit) (i32.const 0x80))
          (then
            (array.set $bytes (local.get $out) (local.get $at) (local.get $unit))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $next)))
        (if (i32.lt_u (local.get $unit) (i32.const 0x800))
          (then
            (array.set $bytes (local.get $out) (local.get $at)
              (i32.or (i32.const 0xc0) (i32.shr_u (local.get $unit) (i32.const 6))))
            (local.set $at (i32.add (local.get $at) (i32.const 1))))
          (else
            (array.set $bytes (local.get $out) (local.get $at)
              (i32.or (i32.const 0xe0) (i32.shr_u (local.get $unit) (i32.const 12))))
            (array.set $bytes (local.get $out) (i32.add (local.get $at) (i32.const 1))
              (i32.or
                (i32.const 0x80)
                (i32.and (i32.shr_u (local.get $unit) (i32.const 6)) (i32.const 0x3f))))
            (local.set $at (i32.add (local.get $at) (i32.const 2)))))
        (array.set $bytes (local.get $out) (local.get $at)
          (i32.or (i32.const 0x80) (i32.and (local.get $unit) (i32.const 0x3f))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (local.get $at))

  (func $sum_of (param $bytes (ref $bytes)) (param $length i32) (result i32)
    (local $i i32) (local $a i32) (local $b i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $length)))
        (local.set $a (i32.add (local.get $a) (array.get_s $bytes (local.get $bytes) (local.get $i))))
        (local.set $b (i32.xor (i32.rotl (local.get $b) (i32.const 3)) (local.get $a)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (local.get $b))

  (func $written (param $seed i32) (result (ref $string))
    (local $all (ref $builder)) (local $i i32) (local $name (ref $string)) (local $value (ref $string))
    (local.set $all (call $new_builder))
    (local.set $name (array.new_data $string $name (i32.const 0) (i32.const 4)))
    (local.set $value (array.new_data $string $parts (i32.const 0) (i32.const 11)))
    (loop $next
      (call $append (local.get $all)
        (call $joined (local.get $name) (call $decimal (local.get $i))))
      (call $append_unit (local.get $all) (i32.const 61))
      (call $append (local.get $all) (local.get $value))
      (call $append (local.get $all)
        (call $decimal (i32.mul (i32.xor (local.get $i) (local.get $seed)) (i32.const 2654435761))))
      (call $append_unit (local.get $all) (i32.const 59))
      (br_if $next
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 4000))))
    (call $to_string (local.get $all)))

  ;; Cuts at each semicolon and counts the parts that are equal to the one before by half.
  (func $cut (param $text (ref $string)) (result (ref $strings))
    (local $parts (ref $strings)) (local $count i32) (local $from i32) (local $to i32)
    (local.set $parts (array.new_default $strings (i32.const 4000)))
    (block $done
      (loop $next
        (local.set $to (call $index_of (local.get $text) (i32.const 59) (local.get $from)))
        (br_if $done (i32.lt_s (local.get $to) (i32.const 0)))
        (array.set $strings (local.get $parts) (local.get $count)
          (call $part (local.get $text) (local.get $from) (local.get $to)))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (local.set $from (i32.add (local.get $to) (i32.const 1)))
        (br $next)))
    (local.get $parts))

  (func $round (param $seed i32) (result i32)
    (local $text (ref $string)) (local $parts (ref $strings)) (local $again (ref $builder))
    (local $i i32) (local $sum i32) (local $part (ref $string)) (local $bytes (ref $bytes))
    (local.set $text (call $written (local.get $seed)))
    (local.set $parts (call $cut (local.get $text)))
    (local.set $again (call $new_builder))
    (loop $next
      (local.set $part (ref.as_non_null (array.get $strings (local.get $parts) (local.get $i))))
      (local.set $sum
        (i32.add (i32.mul (local.get $sum) (i32.const 17)) (call $hash (local.get $part))))
      (call $append (local.get $again) (local.get $part))
      (call $append_unit (local.get $again) (i32.const 59))
      (br_if $next
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 4000))))
    (local.set $sum
      (i32.add (local.get $sum)
        (call $equal (local.get $text) (call $to_string (local.get $again)))))
    (local.set $bytes
      (array.new_default $bytes (i32.mul (array.len (local.get $text)) (i32.const 3))))
    (i32.xor (local.get $sum)
      (call $sum_of (local.get $bytes) (call $encode (local.get $text) (local.get $bytes)))))

  (func (export "run") (param $rounds i32) (result i32)
    (local $sum i32)
    (loop $round
      (local.set $sum
        (i32.add (i32.mul (local.get $sum) (i32.const 31)) (call $round (local.get $rounds))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
