;; Memories that move when they grow: wherever growth may happen between two accesses, the second
;; one sees the new place and the new size.

(module $grower
  (memory (export "m") i64 1)
  (memory (export "n") 1)
  (table (export "t") 2 funcref)
  (elem (i32.const 0) $grow $grow32)
  (func $grow (export "grow") (param i64) (result i64) local.get 0 memory.grow 0)
  (func $grow32 (export "grow32") (param i64) (result i64)
    local.get 0 i32.wrap_i64 memory.grow 1 i64.extend_i32_s)
  (func (export "size") (result i64) memory.size 0))
(register "grower")

(module
  (type $grow (func (param i64) (result i64)))
  (import "grower" "m" (memory $m i64 1))
  (import "grower" "n" (memory $n 1))
  (import "grower" "t" (table $t 2 funcref))
  (import "grower" "grow" (func $grow (type $grow)))
  (memory $own i64 1)

  ;; Small enough to be put in place of its calls.
  (func $grow_own (result i64) i64.const 40 memory.grow $own)

  (func (export "across an imported call") (result i32)
    i64.const 8 i32.const 11 i32.store $m
    i64.const 300 call $grow drop
    i64.const 8 i32.load $m
    i64.const 19660796 i32.const 5 i32.store $m
    i64.const 19660796 i32.load $m
    i32.add)

  (func (export "across an indirect call") (param i32) (result i32)
    i64.const 8 i32.const 3 i32.store $m
    i32.const 8 i32.const 4 i32.store $n
    i64.const 7 local.get 0 call_indirect $t (type $grow) drop
    i64.const 8 i32.load $m
    i32.const 8 i32.load $n
    i32.add)

  (func (export "across a small call") (result i32)
    i64.const 0 i32.const 21 i32.store $own
    call $grow_own drop
    i64.const 2686968 i32.const 21 i32.store $own
    i64.const 0 i32.load $own
    i64.const 2686968 i32.load $own
    i32.add)

  (func (export "in a loop") (param $rounds i32) (result i64)
    (local $sum i64) (local $at i64)
    loop $again
      local.get $at local.get $at i64.store $own
      i64.const 1 memory.grow $own drop
      memory.size $own i64.const 65536 i64.mul i64.const 8 i64.sub local.set $at
      local.get $at i64.const 1 i64.store $own
      local.get $at i64.load $own local.get $sum i64.add local.set $sum
      local.get $rounds i32.const 1 i32.sub local.tee $rounds br_if $again
    end
    local.get $sum)

  (func (export "on one way only") (param i32) (result i32)
    i64.const 16 i32.const 9 i32.store $own
    local.get 0
    if
      i64.const 60 memory.grow $own drop
    end
    i64.const 16 i32.load $own)

  (func (export "the argument is read before") (result i32)
    i64.const 24 i32.const 6 i32.store $own
    i64.const 24 i32.load $own
    (drop (memory.grow $own (i64.const 50)))
    i64.const 24 i32.load $own
    i32.mul)

  (func (export "old bounds are gone") (result i32)
    (local $end i64)
    memory.size $own i64.const 65536 i64.mul local.set $end
    call $grow_own drop
    local.get $end i32.const 77 i32.store $own
    local.get $end i32.load $own)

  (func (export "past the end") (result i32)
    call $grow_own drop
    memory.size $own i64.const 65536 i64.mul i32.load $own))

(assert_return (invoke "across an imported call") (i32.const 16))
(assert_return (invoke "across an indirect call" (i32.const 0)) (i32.const 7))
(assert_return (invoke "across an indirect call" (i32.const 1)) (i32.const 7))
(assert_return (invoke "across a small call") (i32.const 42))
(assert_return (invoke "in a loop" (i32.const 50)) (i64.const 50))
(assert_return (invoke "on one way only" (i32.const 0)) (i32.const 9))
(assert_return (invoke "on one way only" (i32.const 1)) (i32.const 9))
(assert_return (invoke "the argument is read before") (i32.const 36))
(assert_return (invoke "old bounds are gone") (i32.const 77))
(assert_trap (invoke "past the end") "out of bounds memory access")
(assert_return (invoke $grower "size") (i64.const 308))

;; A guest that grows a memory of another instance while that one is active.
(module $outer
  (import "grower" "grow" (func $grow (param i64) (result i64)))
  (import "grower" "m" (memory i64 1))
  (func (export "f") (result i64)
    (i64.store (i64.const 0) (i64.const 123))
    (drop (call $grow (i64.const 1)))
    (i64.add (i64.load (i64.const 0))
      (i64.load (i64.sub (i64.mul (memory.size) (i64.const 65536)) (i64.const 8))))))
(assert_return (invoke "f") (i64.const 123))
