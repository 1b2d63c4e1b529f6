;; tuning: epoch-interruption=on
;; Where a function begins, and at the head of each loop, whatever is inlined there.
(module
  (func $add (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func (param i32) (result i32)
    (loop $l
      (local.set 0 (call $add (local.get 0)))
      (br_if $l (local.get 0)))
    (local.get 0)))

;; ---
;; function 0
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   call interrupted if somebody wants it
;;   v1 = x0
;;   v2 = I32(1)
;;   v3 = I32Add v1, v2
;;   return (v3)
;; function 1
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   call interrupted if somebody wants it
;;   enter L1 ()
;; L1():
;;   call interrupted if somebody wants it
;;   v1 = x0
;;   local x1: i32 = v1
;;   v2 = x1
;;   v3 = I32(1)
;;   v4 = I32Add v2, v3
;;   x0 = v4
;;   v5 = x0
;;   if v5 jump L1 ()
;;   end of L1
;;   v6 = x0
;;   return (v6)
