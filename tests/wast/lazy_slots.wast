;; Slots of function tables are filled when somebody looks. Whatever moves, grows or reads a table
;; must see what its first image said.

(module $owner
  (type $number (func (result i32)))
  (table $t (export "t") 8 20 funcref)
  (table $other 4 funcref)
  (elem (table $t) (i32.const 1) func $one $two $three)
  (elem (table $other) (i32.const 0) func $three $one)
  (func $one (result i32) (i32.const 1))
  (func $two (result i32) (i32.const 2))
  (func $three (result i32) (i32.const 3))
  (func (export "call") (param i32) (result i32)
    (call_indirect $t (type $number) (local.get 0)))
  (func (export "call_other") (param i32) (result i32)
    (call_indirect $other (type $number) (local.get 0)))
  (func (export "is_null") (param i32) (result i32)
    (ref.is_null (table.get $t (local.get 0))))
  (func (export "shift")
    (table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 4)))
  (func (export "exchange")
    (table.copy $other $t (i32.const 2) (i32.const 0) (i32.const 2)))
  (func (export "grow") (param i32) (result i32)
    (table.grow $t (ref.null func) (local.get 0))))

;; Nobody has looked yet.
(assert_trap (invoke "call" (i32.const 0)) "uninitialized element")
(assert_trap (invoke "call" (i32.const 8)) "undefined element")
(assert_return (invoke "call" (i32.const 2)) (i32.const 2))

;; Copied within the table before they were looked at: places change, contents do not.
(assert_return (invoke "shift"))
(assert_return (invoke "call" (i32.const 0)) (i32.const 1))
(assert_return (invoke "call" (i32.const 2)) (i32.const 3))
(assert_return (invoke "is_null" (i32.const 3)) (i32.const 1))
(assert_trap (invoke "call" (i32.const 3)) "uninitialized element")

;; Copied to another table, over slots of its own that are lazy still.
(assert_return (invoke "exchange"))
(assert_return (invoke "call_other" (i32.const 0)) (i32.const 3))
(assert_return (invoke "call_other" (i32.const 2)) (i32.const 1))
(assert_return (invoke "call_other" (i32.const 3)) (i32.const 2))

;; New elements are what grow was given, not what an image says.
(assert_return (invoke "grow" (i32.const 4)) (i32.const 8))
(assert_return (invoke "is_null" (i32.const 11)) (i32.const 1))
(assert_return (invoke "grow" (i32.const 9)) (i32.const -1))

(register "owner" $owner)

;; Seen from another instance, by the owner's image.
(module
  (type $number (func (result i32)))
  (import "owner" "t" (table $t 8 20 funcref))
  (func (export "call") (param i32) (result i32)
    (call_indirect $t (type $number) (local.get 0)))
  (func (export "mismatch") (param i32)
    (call_indirect $t (param i64) (i64.const 0) (local.get 0))))

(assert_return (invoke "call" (i32.const 1)) (i32.const 2))
(assert_trap (invoke "mismatch" (i32.const 1)) "indirect call type mismatch")
(assert_trap (invoke "mismatch" (i32.const 7)) "uninitialized element")

;; A table with a value for all: every slot is lazy and holds the function.
(module
  (type $number (func (result i32)))
  (table $t 1000 (ref func) (ref.func $f))
  (func $f (result i32) (i32.const 7))
  (func $g (result i32) (i32.const 8))
  (elem (table $t) (i32.const 5) (ref func) (ref.func $g))
  (func (export "call") (param i32) (result i32)
    (call_indirect $t (type $number) (local.get 0))))

(assert_return (invoke "call" (i32.const 0)) (i32.const 7))
(assert_return (invoke "call" (i32.const 999)) (i32.const 7))
(assert_return (invoke "call" (i32.const 5)) (i32.const 8))
(assert_trap (invoke "call" (i32.const 1000)) "undefined element")
