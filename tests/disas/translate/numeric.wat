;; Division and conversion carry their traps in the operation; wide arithmetic has two results.
(module
  (func (param i32 i32) (result i32)
    local.get 0
    local.get 1
    i32.div_s)
  (func (param f64) (result i64)
    local.get 0
    i64.trunc_f64_s)
  (func (param i64 i64) (result i64 i64)
    local.get 0
    local.get 1
    i64.mul_wide_u)
  (func (param v128 v128) (result v128)
    local.get 0
    local.get 1
    i8x16.shuffle 0 1 2 3 4 5 6 7 24 25 26 27 28 29 30 31))

;; ---
;; function 0
;; func (i32, i32) -> (i32)
;;   local x0: i32 = v0
;;   local x1: i32 = v1
;;   v2 = x0
;;   v3 = x1
;;   v4 = I32DivS v2, v3
;;   return (v4)
;; function 1
;; func (f64) -> (i64)
;;   local x0: f64 = v0
;;   v1 = x0
;;   v2 = I64TruncF64S v1
;;   return (v2)
;; function 2
;; func (i64, i64) -> (i64, i64)
;;   local x0: i64 = v0
;;   local x1: i64 = v1
;;   v2 = x0
;;   v3 = x1
;;   v4, v5 = MulWideU v2, v3
;;   return (v4, v5)
;; function 3
;; func (v128, v128) -> (v128)
;;   local x0: v128 = v0
;;   local x1: v128 = v1
;;   v2 = x0
;;   v3 = x1
;;   v4 = shuffle [0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31] v2 v3
;;   return (v4)
