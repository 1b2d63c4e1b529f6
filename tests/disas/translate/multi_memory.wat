;; Each memory has a plan of its own; an imported one is reached through its instance.
(module
  (import "m" "imported" (memory 1))
  (memory 1 2)
  (memory i64 1)
  (func (param i32 i64)
    local.get 0
    i32.load
    drop
    local.get 0
    i32.load 1
    drop
    local.get 1
    i32.load 2
    drop)
  (func (param i32 i32 i32)
    local.get 0
    local.get 1
    local.get 2
    memory.copy 0 1))

;; ---
;; function 0
;; func (i32, i64) -> ()
;;   local x0: i32 = v0
;;   local x1: i64 = v1
;;   v2 = x0
;;   v3 = load i32 4 Whole v2 memory 0 at [ctx+64] +0 guard
;;   v4 = x0
;;   v5 = load i32 4 Whole v4 memory 1 at ctx+88 +0 guard
;;   v6 = x1
;;   v7 = load i32 4 Whole v6 memory 2 at ctx+104 +0 check end=4 wide
;;   return ()
;; function 1
;; func (i32, i32, i32) -> ()
;;   local x0: i32 = v0
;;   local x1: i32 = v1
;;   local x2: i32 = v2
;;   v3 = x0
;;   v4 = x1
;;   v5 = x2
;;   v6 = widen v3
;;   v7 = widen v4
;;   v8 = widen v5
;;   v9 = memory 0 at [ctx+64]
;;   v10 = memory 1 at ctx+88
;;   entry memory_copy (v9, v6, v10, v7, v8)
;;   return ()
