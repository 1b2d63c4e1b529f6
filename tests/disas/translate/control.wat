;; Blocks with parameters and results, loops, and what follows code that cannot be reached.
(module
  (func (param i32) (result i32)
    (local i32)
    loop $again (result i32)
      local.get 1
      i32.const 1
      i32.add
      local.tee 1
      local.get 0
      i32.lt_u
      br_if $again
      local.get 1
    end)
  (func (param i32) (result i32)
    local.get 0
    if (result i32)
      i32.const 1
    else
      unreachable
      i32.const 2
      drop
    end))

;; ---
;; function 0
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   local x1: i32
;;   enter L1 ()
;; L1():
;;   v1 = x1
;;   v2 = I32(1)
;;   v3 = I32Add v1, v2
;;   x1 = v3
;;   v4 = x1
;;   v5 = x0
;;   v6 = I32LtU v4, v5
;;   if v6 jump L1 ()
;;   v7 = x1
;;   end of L1
;;   return (v7)
;; function 1
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = x0
;;   unless v1 jump L2
;;   v2 = I32(1)
;;   jump L1 (v2)
;; L2():
;;   trap Unreachable
;; L1(v3):
;;   return (v3)
