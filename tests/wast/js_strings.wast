;; The functions of wasm:js-string and string constants, without JavaScript
;; (proposal js-string-builtins; what throws there traps here).

(module
  (type $units (array (mut i16)))
  (import "wasm:js-string" "cast" (func $cast (param externref) (result (ref extern))))
  (import "wasm:js-string" "test" (func $test (param externref) (result i32)))
  (import "wasm:js-string" "fromCharCodeArray"
    (func $fromCharCodeArray (param (ref null $units) i32 i32) (result (ref extern))))
  (import "wasm:js-string" "intoCharCodeArray"
    (func $intoCharCodeArray (param externref (ref null $units) i32) (result i32)))
  (import "wasm:js-string" "fromCharCode" (func $fromCharCode (param i32) (result (ref extern))))
  (import "wasm:js-string" "fromCodePoint" (func $fromCodePoint (param i32) (result (ref extern))))
  (import "wasm:js-string" "charCodeAt" (func $charCodeAt (param externref i32) (result i32)))
  (import "wasm:js-string" "codePointAt" (func $codePointAt (param externref i32) (result i32)))
  (import "wasm:js-string" "length" (func $length (param externref) (result i32)))
  (import "wasm:js-string" "concat"
    (func $concat (param externref externref) (result (ref extern))))
  (import "wasm:js-string" "substring"
    (func $substring (param externref i32 i32) (result (ref extern))))
  (import "wasm:js-string" "equals" (func $equals (param externref externref) (result i32)))
  (import "wasm:js-string" "compare" (func $compare (param externref externref) (result i32)))
  (import "'" "" (global $empty externref))
  (import "'" "abc" (global $abc (ref extern)))
  (import "'" "abd" (global $abd externref))
  (import "'" "ab" (global $ab externref))
  (import "'" "na\u{ef}ve" (global $naive externref))
  (import "'" "a\u{20ac}\u{1f600}z" (global $wide externref))
  (import "'" "\u{ffff}" (global $ffff externref))
  (import "'" "\u{10000}" (global $u10000 externref))

  (func $constant (param i32) (result externref)
    (block $7 (block $6 (block $5 (block $4 (block $3 (block $2 (block $1 (block $0
      (br_table $0 $1 $2 $3 $4 $5 $6 $7 (local.get 0)))
      (return (global.get $empty)))
      (return (global.get $abc)))
      (return (global.get $abd)))
      (return (global.get $ab)))
      (return (global.get $naive)))
      (return (global.get $wide)))
      (return (global.get $ffff)))
    (global.get $u10000))

  (func (export "length") (param i32) (result i32) (call $length (call $constant (local.get 0))))
  (func (export "charCodeAt") (param i32 i32) (result i32)
    (call $charCodeAt (call $constant (local.get 0)) (local.get 1)))
  (func (export "codePointAt") (param i32 i32) (result i32)
    (call $codePointAt (call $constant (local.get 0)) (local.get 1)))
  (func (export "equals") (param i32 i32) (result i32)
    (call $equals (call $constant (local.get 0)) (call $constant (local.get 1))))
  (func (export "compare") (param i32 i32) (result i32)
    (call $compare (call $constant (local.get 0)) (call $constant (local.get 1))))
  (func (export "substring equals") (param i32 i32 i32 i32) (result i32)
    (call $equals
      (call $substring (call $constant (local.get 0)) (local.get 1) (local.get 2))
      (call $constant (local.get 3))))
  (func (export "concat equals") (param i32 i32 i32) (result i32)
    (call $equals
      (call $concat (call $constant (local.get 0)) (call $constant (local.get 1)))
      (call $constant (local.get 2))))
  (func (export "concat unit equals") (param i32 i32 i32) (result i32)
    (call $equals
      (call $concat (call $constant (local.get 0)) (call $fromCharCode (local.get 1)))
      (call $constant (local.get 2))))
  (func (export "fromCharCode") (param i32) (result i32)
    (call $charCodeAt (call $fromCharCode (local.get 0)) (i32.const 0)))
  (func (export "fromCodePoint") (param i32) (result i32 i32)
    (local $string externref)
    (local.set $string (call $fromCodePoint (local.get 0)))
    (call $length (local.get $string))
    (call $codePointAt (local.get $string) (i32.const 0)))
  (func (export "two surrogates") (param i32 i32) (result i32 i32)
    (local $string externref)
    (local.set $string
      (call $concat (call $fromCharCode (local.get 0)) (call $fromCharCode (local.get 1))))
    (call $length (local.get $string))
    (call $codePointAt (local.get $string) (i32.const 0)))

  ;; The units of a constant, written to an array of `size` zeros from `start` on; the sum of the
  ;; units weighted by their places.
  (func (export "intoCharCodeArray")
    (param $constant i32) (param $size i32) (param $start i32) (result i32 i32)
    (local $array (ref null $units)) (local $i i32) (local $sum i32)
    (local.set $array (array.new_default $units (local.get $size)))
    (call $intoCharCodeArray
      (call $constant (local.get $constant)) (local.get $array) (local.get $start))
    (loop $next
      (if (i32.lt_u (local.get $i) (local.get $size)) (then
        (local.set $sum (i32.add (local.get $sum)
          (i32.mul (i32.add (local.get $i) (i32.const 1))
            (array.get_u $units (local.get $array) (local.get $i)))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next))))
    (local.get $sum))

  ;; A part of [0x61, 0x62, 0x63, 0x20ac, 0xd800] compared with a constant.
  (func (export "fromCharCodeArray equals") (param i32 i32 i32) (result i32)
    (call $equals
      (call $fromCharCodeArray
        (array.new_fixed $units 5 (i32.const 0x61) (i32.const 0x62) (i32.const 0x63)
          (i32.const 0x20ac) (i32.const 0xd800))
        (local.get 0) (local.get 1))
      (call $constant (local.get 2))))
  (func (export "fromCharCodeArray charCodeAt") (param i32 i32 i32) (result i32)
    (call $charCodeAt
      (call $fromCharCodeArray
        (array.new_fixed $units 5 (i32.const 0x61) (i32.const 0x62) (i32.const 0x63)
          (i32.const 0x20ac) (i32.const 0xd800))
        (local.get 0) (local.get 1))
      (local.get 2)))
  (func (export "fromCharCodeArray of null") (drop
    (call $fromCharCodeArray (ref.null none) (i32.const 0) (i32.const 0))))
  (func (export "intoCharCodeArray of null array") (drop
    (call $intoCharCodeArray (global.get $empty) (ref.null none) (i32.const 0))))

  (func (export "test") (param externref) (result i32) (call $test (local.get 0)))
  (func (export "test i31") (result i32)
    (call $test (extern.convert_any (ref.i31 (i32.const 1)))))
  (func (export "test struct") (result i32)
    (call $test (extern.convert_any (array.new_default $units (i32.const 1)))))
  (func (export "test string") (result i32) (call $test (global.get $empty)))
  (func (export "test converted string") (result i32)
    (call $test (extern.convert_any (any.convert_extern (global.get $abc)))))
  (func (export "cast string") (result i32) (call $length (call $cast (global.get $abc))))
  (func (export "cast") (param externref) (drop (call $cast (local.get 0))))
  (func (export "cast i31") (drop (call $cast (extern.convert_any (ref.i31 (i32.const 1))))))
  (func (export "length of") (param externref) (drop (call $length (local.get 0))))
  (func (export "charCodeAt of") (param externref)
    (drop (call $charCodeAt (local.get 0) (i32.const 0))))
  (func (export "codePointAt of") (param externref)
    (drop (call $codePointAt (local.get 0) (i32.const 0))))
  (func (export "substring of") (param externref)
    (drop (call $substring (local.get 0) (i32.const 0) (i32.const 0))))
  (func (export "first of concat") (param externref)
    (drop (call $concat (local.get 0) (global.get $empty))))
  (func (export "second of concat") (param externref)
    (drop (call $concat (global.get $empty) (local.get 0))))
  (func (export "first of compare") (param externref)
    (drop (call $compare (local.get 0) (global.get $empty))))
  (func (export "second of compare") (param externref)
    (drop (call $compare (global.get $empty) (local.get 0))))
  (func (export "equals of") (param externref externref) (result i32)
    (call $equals (local.get 0) (local.get 1)))
  (func (export "string equals") (param externref) (result i32)
    (call $equals (global.get $abc) (local.get 0)))
  (func (export "intoCharCodeArray of") (param externref)
    (drop (call $intoCharCodeArray
      (local.get 0) (array.new_default $units (i32.const 1)) (i32.const 0))))
)

(assert_return (invoke "length" (i32.const 0)) (i32.const 0))
(assert_return (invoke "length" (i32.const 1)) (i32.const 3))
(assert_return (invoke "length" (i32.const 4)) (i32.const 5))
(assert_return (invoke "length" (i32.const 5)) (i32.const 5))

;; A constant may be imported as it is written: characters beyond 0xffff are two units.
(assert_return (invoke "charCodeAt" (i32.const 1) (i32.const 0)) (i32.const 0x61))
(assert_return (invoke "charCodeAt" (i32.const 4) (i32.const 2)) (i32.const 0xef))
(assert_return (invoke "charCodeAt" (i32.const 5) (i32.const 1)) (i32.const 0x20ac))
(assert_return (invoke "charCodeAt" (i32.const 5) (i32.const 2)) (i32.const 0xd83d))
(assert_return (invoke "charCodeAt" (i32.const 5) (i32.const 3)) (i32.const 0xde00))
(assert_trap (invoke "charCodeAt" (i32.const 0) (i32.const 0)) "out of bounds string access")
(assert_trap (invoke "charCodeAt" (i32.const 1) (i32.const 3)) "out of bounds string access")
(assert_trap (invoke "charCodeAt" (i32.const 1) (i32.const -1)) "out of bounds string access")

(assert_return (invoke "codePointAt" (i32.const 5) (i32.const 2)) (i32.const 0x1f600))
(assert_return (invoke "codePointAt" (i32.const 5) (i32.const 3)) (i32.const 0xde00))
(assert_return (invoke "codePointAt" (i32.const 5) (i32.const 4)) (i32.const 0x7a))
(assert_trap (invoke "codePointAt" (i32.const 5) (i32.const 5)) "out of bounds string access")
(assert_trap (invoke "codePointAt" (i32.const 5) (i32.const -1)) "out of bounds string access")

(assert_return (invoke "equals" (i32.const 1) (i32.const 1)) (i32.const 1))
(assert_return (invoke "equals" (i32.const 1) (i32.const 2)) (i32.const 0))
(assert_return (invoke "equals" (i32.const 0) (i32.const 1)) (i32.const 0))
(assert_return (invoke "compare" (i32.const 1) (i32.const 1)) (i32.const 0))
(assert_return (invoke "compare" (i32.const 1) (i32.const 2)) (i32.const -1))
(assert_return (invoke "compare" (i32.const 2) (i32.const 1)) (i32.const 1))
(assert_return (invoke "compare" (i32.const 3) (i32.const 1)) (i32.const -1))
(assert_return (invoke "compare" (i32.const 0) (i32.const 3)) (i32.const -1))
(assert_return (invoke "compare" (i32.const 4) (i32.const 5)) (i32.const 1))
;; Units are compared, not code points: 0xd800 is below 0xffff.
(assert_return (invoke "compare" (i32.const 6) (i32.const 7)) (i32.const 1))

(assert_return (invoke "substring equals"
  (i32.const 1) (i32.const 0) (i32.const 2) (i32.const 3)) (i32.const 1))
(assert_return (invoke "substring equals"
  (i32.const 1) (i32.const 0) (i32.const 3) (i32.const 1)) (i32.const 1))
(assert_return (invoke "substring equals"
  (i32.const 1) (i32.const 0) (i32.const -1) (i32.const 1)) (i32.const 1))
(assert_return (invoke "substring equals"
  (i32.const 1) (i32.const 2) (i32.const 2) (i32.const 0)) (i32.const 1))
(assert_return (invoke "substring equals"
  (i32.const 1) (i32.const 2) (i32.const 1) (i32.const 0)) (i32.const 1))
(assert_return (invoke "substring equals"
  (i32.const 1) (i32.const 3) (i32.const 9) (i32.const 0)) (i32.const 1))
(assert_return (invoke "substring equals"
  (i32.const 1) (i32.const 9) (i32.const 9) (i32.const 0)) (i32.const 1))
(assert_return (invoke "substring equals"
  (i32.const 1) (i32.const -1) (i32.const -1) (i32.const 0)) (i32.const 1))

(assert_return (invoke "concat equals" (i32.const 0) (i32.const 1) (i32.const 1)) (i32.const 1))
(assert_return (invoke "concat equals" (i32.const 1) (i32.const 0) (i32.const 1)) (i32.const 1))
(assert_return (invoke "concat equals" (i32.const 1) (i32.const 1) (i32.const 1)) (i32.const 0))
(assert_return (invoke "concat unit equals"
  (i32.const 3) (i32.const 0x63) (i32.const 1)) (i32.const 1))
(assert_return (invoke "concat unit equals"
  (i32.const 3) (i32.const 0x1_0063) (i32.const 1)) (i32.const 1))

(assert_return (invoke "fromCharCode" (i32.const 0)) (i32.const 0))
(assert_return (invoke "fromCharCode" (i32.const 0xff)) (i32.const 0xff))
(assert_return (invoke "fromCharCode" (i32.const 0x100)) (i32.const 0x100))
(assert_return (invoke "fromCharCode" (i32.const 0xd800)) (i32.const 0xd800))
(assert_return (invoke "fromCharCode" (i32.const -1)) (i32.const 0xffff))
(assert_return (invoke "fromCharCode" (i32.const 0x1_2345)) (i32.const 0x2345))
(assert_return (invoke "fromCodePoint" (i32.const 0)) (i32.const 1) (i32.const 0))
(assert_return (invoke "fromCodePoint" (i32.const 0xffff)) (i32.const 1) (i32.const 0xffff))
(assert_return (invoke "fromCodePoint" (i32.const 0xdfff)) (i32.const 1) (i32.const 0xdfff))
(assert_return (invoke "fromCodePoint" (i32.const 0x10000)) (i32.const 2) (i32.const 0x10000))
(assert_return (invoke "fromCodePoint" (i32.const 0x10ffff)) (i32.const 2) (i32.const 0x10ffff))
(assert_trap (invoke "fromCodePoint" (i32.const 0x110000)) "invalid code point")
(assert_trap (invoke "fromCodePoint" (i32.const -1)) "invalid code point")

;; Lone surrogates stay what they are, and make a code point when they come together.
(assert_return (invoke "two surrogates" (i32.const 0xd83d) (i32.const 0xde00))
  (i32.const 2) (i32.const 0x1f600))
(assert_return (invoke "two surrogates" (i32.const 0xde00) (i32.const 0xd83d))
  (i32.const 2) (i32.const 0xde00))

(assert_return (invoke "intoCharCodeArray" (i32.const 1) (i32.const 3) (i32.const 0))
  (i32.const 3) (i32.const 590))
(assert_return (invoke "intoCharCodeArray" (i32.const 1) (i32.const 5) (i32.const 2))
  (i32.const 3) (i32.const 1178))
(assert_return (invoke "intoCharCodeArray" (i32.const 0) (i32.const 2) (i32.const 2))
  (i32.const 0) (i32.const 0))
(assert_return (invoke "intoCharCodeArray" (i32.const 3) (i32.const 2) (i32.const 0))
  (i32.const 2) (i32.const 293))
(assert_trap (invoke "intoCharCodeArray" (i32.const 1) (i32.const 2) (i32.const 0))
  "out of bounds array access")
(assert_trap (invoke "intoCharCodeArray" (i32.const 1) (i32.const 5) (i32.const 3))
  "out of bounds array access")
(assert_trap (invoke "intoCharCodeArray" (i32.const 0) (i32.const 2) (i32.const 3))
  "out of bounds array access")
(assert_trap (invoke "intoCharCodeArray" (i32.const 1) (i32.const 5) (i32.const -1))
  "out of bounds array access")

(assert_return (invoke "fromCharCodeArray equals" (i32.const 0) (i32.const 3) (i32.const 1))
  (i32.const 1))
(assert_return (invoke "fromCharCodeArray equals" (i32.const 0) (i32.const 2) (i32.const 3))
  (i32.const 1))
(assert_return (invoke "fromCharCodeArray equals" (i32.const 5) (i32.const 5) (i32.const 0))
  (i32.const 1))
(assert_return (invoke "fromCharCodeArray charCodeAt" (i32.const 0) (i32.const 1) (i32.const 0))
  (i32.const 0x61))
(assert_return (invoke "fromCharCodeArray charCodeAt" (i32.const 3) (i32.const 4) (i32.const 0))
  (i32.const 0x20ac))
(assert_return (invoke "fromCharCodeArray charCodeAt" (i32.const 1) (i32.const 5) (i32.const 3))
  (i32.const 0xd800))
(assert_return (invoke "fromCharCodeArray charCodeAt" (i32.const 1) (i32.const 5) (i32.const 1))
  (i32.const 0x63))
(assert_trap (invoke "fromCharCodeArray equals" (i32.const 0) (i32.const 6) (i32.const 0))
  "out of bounds array access")
(assert_trap (invoke "fromCharCodeArray equals" (i32.const 2) (i32.const 1) (i32.const 0))
  "out of bounds array access")
(assert_trap (invoke "fromCharCodeArray equals" (i32.const -1) (i32.const -1) (i32.const 0))
  "out of bounds array access")
(assert_trap (invoke "fromCharCodeArray equals" (i32.const 6) (i32.const 6) (i32.const 0))
  "out of bounds array access")
(assert_trap (invoke "fromCharCodeArray of null") "null array reference")
(assert_trap (invoke "intoCharCodeArray of null array") "null array reference")

(assert_return (invoke "test" (ref.null extern)) (i32.const 0))
(assert_return (invoke "test" (ref.extern 1)) (i32.const 0))
(assert_return (invoke "test i31") (i32.const 0))
(assert_return (invoke "test struct") (i32.const 0))
(assert_return (invoke "test string") (i32.const 1))
(assert_return (invoke "test converted string") (i32.const 1))
(assert_return (invoke "cast string") (i32.const 3))

;; What is no string is refused wherever a string is wanted.
(assert_trap (invoke "cast" (ref.null extern)) "cast failure")
(assert_trap (invoke "cast" (ref.extern 1)) "cast failure")
(assert_trap (invoke "cast i31") "cast failure")
(assert_trap (invoke "length of" (ref.null extern)) "cast failure")
(assert_trap (invoke "length of" (ref.extern 1)) "cast failure")
(assert_trap (invoke "charCodeAt of" (ref.null extern)) "cast failure")
(assert_trap (invoke "charCodeAt of" (ref.extern 1)) "cast failure")
(assert_trap (invoke "codePointAt of" (ref.null extern)) "cast failure")
(assert_trap (invoke "codePointAt of" (ref.extern 1)) "cast failure")
(assert_trap (invoke "substring of" (ref.null extern)) "cast failure")
(assert_trap (invoke "substring of" (ref.extern 1)) "cast failure")
(assert_trap (invoke "first of concat" (ref.null extern)) "cast failure")
(assert_trap (invoke "first of concat" (ref.extern 1)) "cast failure")
(assert_trap (invoke "second of concat" (ref.null extern)) "cast failure")
(assert_trap (invoke "second of concat" (ref.extern 1)) "cast failure")
(assert_trap (invoke "first of compare" (ref.null extern)) "cast failure")
(assert_trap (invoke "first of compare" (ref.extern 1)) "cast failure")
(assert_trap (invoke "second of compare" (ref.null extern)) "cast failure")
(assert_trap (invoke "second of compare" (ref.extern 1)) "cast failure")
(assert_trap (invoke "intoCharCodeArray of" (ref.null extern)) "cast failure")
(assert_trap (invoke "intoCharCodeArray of" (ref.extern 1)) "cast failure")

;; Null can be compared for equality.
(assert_return (invoke "equals of" (ref.null extern) (ref.null extern)) (i32.const 1))
(assert_return (invoke "string equals" (ref.null extern)) (i32.const 0))
(assert_trap (invoke "string equals" (ref.extern 1)) "cast failure")
(assert_trap (invoke "equals of" (ref.extern 1) (ref.extern 1)) "cast failure")
(assert_trap (invoke "equals of" (ref.null extern) (ref.extern 1)) "cast failure")

;; A string is appended to and read in turn; what is read is what was appended.
(module
  (import "wasm:js-string" "fromCharCode" (func $fromCharCode (param i32) (result (ref extern))))
  (import "wasm:js-string" "charCodeAt" (func $charCodeAt (param externref i32) (result i32)))
  (import "wasm:js-string" "concat"
    (func $concat (param externref externref) (result (ref extern))))
  (import "wasm:js-string" "length" (func $length (param externref) (result i32)))
  (import "'" "" (global $empty externref))

  ;; Appends (or prepends) the units 0 to n and hashes them; every `step` units the first is read.
  (func (export "hash") (param $n i32) (param $prepend i32) (param $step i32) (result i32)
    (local $text externref) (local $i i32) (local $hash i32) (local $unit externref)
    (local.set $text (global.get $empty))
    (loop $more
      (local.set $unit (call $fromCharCode (local.get $i)))
      (local.set $text
        (if (result externref) (local.get $prepend)
          (then (call $concat (local.get $unit) (local.get $text)))
          (else (call $concat (local.get $text) (local.get $unit)))))
      (if (i32.eqz (i32.rem_u (local.get $i) (local.get $step)))
        (then (drop (call $charCodeAt (local.get $text) (i32.const 0)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (local.get $n))))
    (local.set $i (i32.const 0))
    (loop $next
      (local.set $hash (i32.add
        (i32.mul (local.get $hash) (i32.const 31))
        (call $charCodeAt (local.get $text) (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (call $length (local.get $text)))))
    (local.get $hash))
)
(assert_return (invoke "hash" (i32.const 1) (i32.const 0) (i32.const 1)) (i32.const 0))
(assert_return (invoke "hash" (i32.const 3) (i32.const 0) (i32.const 1)) (i32.const 33))
(assert_return (invoke "hash" (i32.const 3) (i32.const 1) (i32.const 1)) (i32.const 1953))
(assert_return (invoke "hash" (i32.const 3000) (i32.const 0) (i32.const 7)) (i32.const 1192390108))
(assert_return (invoke "hash" (i32.const 3000) (i32.const 1) (i32.const 7)) (i32.const 2756471460))
(assert_return (invoke "hash" (i32.const 20000) (i32.const 0) (i32.const 1000000)) (i32.const 3057911568))
(assert_return (invoke "hash" (i32.const 20000) (i32.const 1) (i32.const 1000000)) (i32.const 1430460144))

;; Types are those of the proposal, exactly.
(assert_unlinkable
  (module (import "wasm:js-string" "length" (func (param externref) (result i64))))
  "incompatible import type")
(assert_unlinkable
  (module (import "wasm:js-string" "length" (func (param (ref extern)) (result i32))))
  "incompatible import type")
(assert_unlinkable
  (module (import "wasm:js-string" "fromCodePoint" (func (param i32) (result externref))))
  "incompatible import type")
(assert_unlinkable
  (module (type $f (sub (func (param externref) (result i32))))
    (import "wasm:js-string" "length" (func (type $f))))
  "incompatible import type")
(assert_unlinkable
  (module (rec (type $f (func (param externref) (result i32))) (type (struct)))
    (import "wasm:js-string" "length" (func (type $f))))
  "incompatible import type")
(assert_unlinkable
  (module (type $a (array i16))
    (import "wasm:js-string" "fromCharCodeArray"
      (func (param (ref null $a) i32 i32) (result (ref extern)))))
  "incompatible import type")
(assert_unlinkable
  (module (import "wasm:js-string" "length" (global externref)))
  "incompatible import type")
(assert_unlinkable
  (module (import "wasm:js-string" "concatenate" (func)))
  "unknown import")
(assert_unlinkable
  (module (import "wasm:text-encoder" "measureStringAsUTF8" (func (param externref) (result i32))))
  "unknown import")
(assert_unlinkable
  (module (import "'" "text" (global (mut externref))))
  "incompatible import type")
(assert_unlinkable
  (module (import "'" "text" (global anyref)))
  "incompatible import type")
(assert_unlinkable
  (module (import "'" "text" (func)))
  "incompatible import type")

;; A module of the embedder's by that name goes first.
(module $mine
  (func (export "length") (param externref) (result i32) (i32.const 42))
  (global (export "text") externref (ref.null extern)))
(register "wasm:js-string" $mine)
(register "'" $mine)
(module
  (import "wasm:js-string" "length" (func $length (param externref) (result i32)))
  (import "wasm:js-string" "test" (func $test (param externref) (result i32)))
  (import "'" "text" (global $text externref))
  (import "'" "other" (global $other externref))
  (func (export "length") (result i32) (call $length (ref.null extern)))
  (func (export "tests") (result i32 i32)
    (call $test (global.get $text)) (call $test (global.get $other))))
(assert_return (invoke "length") (i32.const 42))
(assert_return (invoke "tests") (i32.const 0) (i32.const 1))
