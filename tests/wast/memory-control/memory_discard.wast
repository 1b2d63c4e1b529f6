;; memory.discard: pages that a range touches read as zero afterwards, and no others.

(module
  (memory (export "m") 3)
  (func (export "fill") (memory.fill (i32.const 0) (i32.const 7) (i32.mul (memory.size) (i32.const 65536))))
  (func (export "discard") (param i32 i32) (memory.discard (local.get 0) (local.get 1)))
  (func (export "grow") (result i32) (memory.grow (i32.const 1)))
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "store") (param i32) (i32.store8 (local.get 0) (i32.const 9)))
  ;; Bytes that are not zero.
  (func (export "left") (result i32)
    (local $at i32) (local $sum i32)
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (i32.ne (i32.load8_u (local.get $at)) (i32.const 0))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))
    (local.get $sum))
  ;; What is read again after a discard is not what was read before.
  (func (export "between") (result i32)
    (i32.store (i32.const 65536) (i32.const 5))
    (i32.load (i32.const 65536))
    (memory.discard (i32.const 65536) (i32.const 65536))
    (i32.add (i32.load (i32.const 65536)))))
(register "discarded")

(invoke "fill")
(assert_return (invoke "discard" (i32.const 65536) (i32.const 65536)))
(assert_return (invoke "load" (i32.const 65535)) (i32.const 7))
(assert_return (invoke "load" (i32.const 65536)) (i32.const 0))
(assert_return (invoke "load" (i32.const 131071)) (i32.const 0))
(assert_return (invoke "load" (i32.const 131072)) (i32.const 7))
(assert_return (invoke "left") (i32.const 131072))
(assert_return (invoke "between") (i32.const 5))

;; Discarded pages can be written.
(assert_return (invoke "store" (i32.const 65536)))
(assert_return (invoke "load" (i32.const 65536)) (i32.const 9))

;; Nothing is discarded by an empty range, wherever within bounds it lies.
(invoke "fill")
(assert_return (invoke "discard" (i32.const 0) (i32.const 0)))
(assert_return (invoke "discard" (i32.const 100) (i32.const 0)))
(assert_return (invoke "discard" (i32.const 196608) (i32.const 0)))
(assert_return (invoke "left") (i32.const 196608))

;; A range that is not aligned stands for the pages that it touches.
(assert_return (invoke "discard" (i32.const 65535) (i32.const 1)))
(assert_return (invoke "left") (i32.const 131072))
(assert_return (invoke "load" (i32.const 65535)) (i32.const 0))
(assert_return (invoke "load" (i32.const 65536)) (i32.const 7))
(invoke "fill")
(assert_return (invoke "discard" (i32.const 65535) (i32.const 2)))
(assert_return (invoke "left") (i32.const 65536))
(assert_return (invoke "load" (i32.const 131072)) (i32.const 7))
(invoke "fill")
(assert_return (invoke "discard" (i32.const 131073) (i32.const 65535)))
(assert_return (invoke "left") (i32.const 131072))

;; A range out of bounds traps and changes nothing.
(invoke "fill")
(assert_trap (invoke "discard" (i32.const 0) (i32.const 196609)) "out of bounds memory access")
(assert_trap (invoke "discard" (i32.const 65536) (i32.const 131073)) "out of bounds memory access")
(assert_trap (invoke "discard" (i32.const 196608) (i32.const 1)) "out of bounds memory access")
(assert_trap (invoke "discard" (i32.const 196609) (i32.const 0)) "out of bounds memory access")
(assert_trap (invoke "discard" (i32.const -65536) (i32.const 65536)) "out of bounds memory access")
(assert_trap (invoke "discard" (i32.const 65536) (i32.const -65536)) "out of bounds memory access")
(assert_trap (invoke "discard" (i32.const -1) (i32.const -1)) "out of bounds memory access")
(assert_return (invoke "left") (i32.const 196608))

;; The whole memory, before and after it grows.
(assert_return (invoke "discard" (i32.const 0) (i32.const 196608)))
(assert_return (invoke "left") (i32.const 0))
(assert_trap (invoke "discard" (i32.const 196608) (i32.const 65536)) "out of bounds memory access")
(assert_return (invoke "grow") (i32.const 3))
(invoke "fill")
(assert_return (invoke "discard" (i32.const 196608) (i32.const 65536)))
(assert_return (invoke "left") (i32.const 196608))
(assert_return (invoke "discard" (i32.const 0) (i32.const 262144)))
(assert_return (invoke "left") (i32.const 0))

;; An imported memory is the exporter's.
(invoke "fill")
(module
  (import "discarded" "m" (memory 1))
  (memory $second 1)
  (data (memory $second) (i32.const 10) "second")
  (func (export "discard") (param i32 i32) (memory.discard 0 (local.get 0) (local.get 1)))
  (func (export "discard second") (memory.discard $second (i32.const 0) (i32.const 1)))
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "load second") (result i32) (i32.load8_u $second (i32.const 10))))
(assert_return (invoke "discard" (i32.const 65536) (i32.const 65536)))
(assert_return (invoke "load" (i32.const 65536)) (i32.const 0))
(assert_return (invoke "load" (i32.const 0)) (i32.const 7))
(assert_return (invoke "load second") (i32.const 115))
(assert_return (invoke "discard second"))
(assert_return (invoke "load second") (i32.const 0))
(assert_return (invoke "load" (i32.const 0)) (i32.const 7))

;; 64-bit addresses; the memory moves when it grows.
(module
  (memory i64 1)
  (data (i64.const 65530) "selkie")
  (func (export "discard") (param i64 i64) (memory.discard (local.get 0) (local.get 1)))
  (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0)))
  (func (export "load") (param i64) (result i32) (i32.load8_u (local.get 0)))
  (func (export "store") (param i64) (i32.store8 (local.get 0) (i32.const 9))))
(assert_return (invoke "load" (i64.const 65535)) (i32.const 101))
(assert_trap (invoke "discard" (i64.const 0) (i64.const 65537)) "out of bounds memory access")
(assert_trap (invoke "discard" (i64.const -1) (i64.const 1)) "out of bounds memory access")
(assert_trap (invoke "discard" (i64.const -65536) (i64.const 65536)) "out of bounds memory access")
(assert_trap (invoke "discard" (i64.const 0x100000000) (i64.const 0)) "out of bounds memory access")
(assert_return (invoke "grow" (i64.const 200)) (i64.const 1))
(assert_return (invoke "store" (i64.const 13172735)))
(assert_return (invoke "discard" (i64.const 0) (i64.const 65536)))
(assert_return (invoke "load" (i64.const 65535)) (i32.const 0))
(assert_return (invoke "load" (i64.const 13172735)) (i32.const 9))
(assert_return (invoke "discard" (i64.const 13172735) (i64.const 1)))
(assert_return (invoke "load" (i64.const 13172735)) (i32.const 0))

;; Shared memories.
(module
  (memory 2 4 shared)
  (data (i32.const 65535) "ab")
  (func (export "discard") (param i32 i32) (memory.discard (local.get 0) (local.get 1)))
  (func (export "grow") (result i32) (memory.grow (i32.const 1)))
  (func (export "load") (param i32) (result i32) (i32.atomic.load8_u (local.get 0)))
  (func (export "store") (param i32) (i32.atomic.store8 (local.get 0) (i32.const 9))))
(assert_return (invoke "discard" (i32.const 65536) (i32.const 65536)))
(assert_return (invoke "load" (i32.const 65535)) (i32.const 97))
(assert_return (invoke "load" (i32.const 65536)) (i32.const 0))
(assert_trap (invoke "discard" (i32.const 131072) (i32.const 1)) "out of bounds memory access")
(assert_return (invoke "grow") (i32.const 2))
(assert_return (invoke "store" (i32.const 131072)))
(assert_return (invoke "discard" (i32.const 131072) (i32.const 1)))
(assert_return (invoke "load" (i32.const 131072)) (i32.const 0))

;; Pages of one byte: the range is exact.
(module
  (memory 10000 (pagesize 1))
  (func (export "fill") (memory.fill (i32.const 0) (i32.const 7) (i32.const 10000)))
  (func (export "discard") (param i32 i32) (memory.discard (local.get 0) (local.get 1)))
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0))))
(invoke "fill")
(assert_return (invoke "discard" (i32.const 3) (i32.const 9000)))
(assert_return (invoke "load" (i32.const 2)) (i32.const 7))
(assert_return (invoke "load" (i32.const 3)) (i32.const 0))
(assert_return (invoke "load" (i32.const 4095)) (i32.const 0))
(assert_return (invoke "load" (i32.const 5000)) (i32.const 0))
(assert_return (invoke "load" (i32.const 9002)) (i32.const 0))
(assert_return (invoke "load" (i32.const 9003)) (i32.const 7))
(assert_return (invoke "discard" (i32.const 9999) (i32.const 1)))
(assert_return (invoke "load" (i32.const 9998)) (i32.const 7))
(assert_return (invoke "load" (i32.const 9999)) (i32.const 0))
(assert_trap (invoke "discard" (i32.const 9999) (i32.const 2)) "out of bounds memory access")
(assert_return (invoke "discard" (i32.const 0) (i32.const 10000)))
(assert_return (invoke "load" (i32.const 0)) (i32.const 0))

;; Without a memory, or with operands of another type, it is not valid.
(assert_invalid
  (module (func (memory.discard (i32.const 0) (i32.const 0))))
  "unknown memory 0")
(assert_invalid
  (module (memory i64 1) (func (memory.discard (i64.const 0) (i32.const 0))))
  "type mismatch")
