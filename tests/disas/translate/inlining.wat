;; A small function is put in place of the call to it; a recursive one is not.
(module
  (func $square (param i32) (result i32)
    local.get 0
    local.get 0
    i32.mul)
  (func (param i32) (result i32)
    local.get 0
    call $square
    i32.const 1
    i32.add)
  (func $endless (param i32) (result i32)
    local.get 0
    call $endless))

;; ---
;; function 0
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = x0
;;   v2 = x0
;;   v3 = I32Mul v1, v2
;;   return (v3)
;; function 1
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = x0
;;   local x1: i32 = v1
;;   v2 = x1
;;   v3 = x1
;;   v4 = I32Mul v2, v3
;;   v5 = I32(1)
;;   v6 = I32Add v4, v5
;;   return (v6)
;; function 2
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = x0
;;   (v2) = call direct 2 (v1)
;;   return (v2)
