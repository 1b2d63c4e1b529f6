;; Atomic accesses of a shared memory are checked for alignment too.
(module
  (memory 1 1 shared)
  (func (param i32 i32) (result i32)
    local.get 0
    local.get 1
    i32.atomic.rmw.add)
  (func (param i32 i32 i64) (result i32)
    local.get 0
    local.get 1
    local.get 2
    memory.atomic.wait32))

;; ---
;; function 0
;; func (i32, i32) -> (i32)
;;   local x0: i32 = v0
;;   local x1: i32 = v1
;;   v2 = x0
;;   v3 = x1
;;   v4 = atomic Rmw(Add) 4 v2 (v3) memory 0 at [ctx+64] +0 guard
;;   return (v4)
;; function 1
;; func (i32, i32, i64) -> (i32)
;;   local x0: i32 = v0
;;   local x1: i32 = v1
;;   local x2: i64 = v2
;;   v3 = x0
;;   v4 = x1
;;   v5 = x2
;;   v6 = address v3 memory 0 at [ctx+64] +0 guard
;;   v7 = I32(0)
;;   v8 = entry memory_wait32 (v7, v6, v4, v5)
;;   return (v8)
