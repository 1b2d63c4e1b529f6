;; Atomic instructions do the same whatever order they ask for; `pause` does nothing.

(module
  (memory 1 1 shared)
  (func (export "load") (result i32)
    (i32.atomic.store seqcst (i32.const 0) (i32.const 5))
    (i32.atomic.load acqrel (i32.const 0)))
  (func (export "narrow") (result i64)
    (i64.atomic.store acqrel (i32.const 8) (i64.const -1))
    (i64.atomic.store8 acqrel (i32.const 9) (i64.const 0x1_17))
    (i64.atomic.load acqrel (i32.const 8)))
  (func (export "add") (param i32) (result i32 i32)
    (i32.atomic.store acqrel (i32.const 16) (i32.const 40))
    (i32.atomic.rmw.add acqrel (i32.const 16) (local.get 0))
    pause
    atomic.fence acqrel
    (i32.atomic.load (i32.const 16)))
  (func (export "exchange") (param i64) (result i64 i64)
    (i64.atomic.store (i32.const 24) (i64.const 7))
    (i64.atomic.rmw.cmpxchg acqrel (i32.const 24) (local.get 0) (i64.const 8))
    (i64.atomic.load acqrel (i32.const 24)))
  (func (export "unaligned") (result i32) (i32.atomic.load acqrel (i32.const 2)))
  (func (export "outside") (i32.atomic.store offset=65536 acqrel (i32.const 0) (i32.const 0))))

(assert_return (invoke "load") (i32.const 5))
(assert_return (invoke "narrow") (i64.const 0xffff_ffff_ffff_17ff))
(assert_return (invoke "add" (i32.const 2)) (i32.const 40) (i32.const 42))
(assert_return (invoke "exchange" (i64.const 7)) (i64.const 7) (i64.const 8))
(assert_return (invoke "exchange" (i64.const 6)) (i64.const 7) (i64.const 7))
(assert_trap (invoke "unaligned") "unaligned atomic")
(assert_trap (invoke "outside") "out of bounds memory access")
