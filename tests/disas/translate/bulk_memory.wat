;; Few bytes, whose number is known, are copied and filled in place; all others by the runtime.
(module
  (memory 1)
  (memory i64 1)
  (func (param i32 i32)
    local.get 0
    local.get 1
    i32.const 24
    memory.copy)
  (func (param i32 i64)
    local.get 0
    local.get 1
    i32.const 128
    memory.copy 0 1)
  (func (param i32 i32 i32)
    local.get 0
    local.get 1
    local.get 2
    memory.copy)
  (func (param i32 i32)
    local.get 0
    local.get 1
    i32.const 7
    memory.fill)
  (func (param i32 i32)
    local.get 0
    local.get 1
    i32.const 129
    memory.fill)
  (func (param i32 i32)
    local.get 0
    local.get 1
    i32.const 0
    memory.copy))

;; ---
;; function 0
;; func (i32, i32) -> ()
;;   local x0: i32 = v0
;;   local x1: i32 = v1
;;   v2 = x0
;;   v3 = x1
;;   v4 = I32(24)
;;   copy 24 to v2 memory 0 at ctx+80 +0 guard from v3 memory 0 at ctx+80 +0 guard
;;   return ()
;; function 1
;; func (i32, i64) -> ()
;;   local x0: i32 = v0
;;   local x1: i64 = v1
;;   v2 = x0
;;   v3 = x1
;;   v4 = I32(128)
;;   copy 128 to v2 memory 0 at ctx+80 +0 guard from v3 memory 1 at ctx+96 +0 check end=128 wide
;;   return ()
;; function 2
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
;;   v9 = memory 0 at ctx+80
;;   v10 = memory 0 at ctx+80
;;   entry memory_copy (v9, v6, v10, v7, v8)
;;   return ()
;; function 3
;; func (i32, i32) -> ()
;;   local x0: i32 = v0
;;   local x1: i32 = v1
;;   v2 = x0
;;   v3 = x1
;;   v4 = I32(7)
;;   fill 7 at v2 memory 0 at ctx+80 +0 guard with v3
;;   return ()
;; function 4
;; func (i32, i32) -> ()
;;   local x0: i32 = v0
;;   local x1: i32 = v1
;;   v2 = x0
;;   v3 = x1
;;   v4 = I32(129)
;;   v5 = widen v2
;;   v6 = widen v4
;;   v7 = memory 0 at ctx+80
;;   entry memory_fill (v7, v5, v3, v6)
;;   return ()
;; function 5
;; func (i32, i32) -> ()
;;   local x0: i32 = v0
;;   local x1: i32 = v1
;;   v2 = x0
;;   v3 = x1
;;   v4 = I32(0)
;;   v5 = widen v2
;;   v6 = widen v3
;;   v7 = widen v4
;;   v8 = memory 0 at ctx+80
;;   v9 = memory 0 at ctx+80
;;   entry memory_copy (v8, v5, v9, v6, v7)
;;   return ()
