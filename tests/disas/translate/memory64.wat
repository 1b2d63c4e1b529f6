;; 64-bit indices are always checked; an offset near the end of the address space too.
(module
  (memory i64 1)
  (func (param i64) (result i64)
    local.get 0
    i64.load offset=16)
  (func (param i64) (result i64)
    local.get 0
    i64.load offset=0xfffffffffffffff0))

;; ---
;; function 0
;; func (i64) -> (i64)
;;   local x0: i64 = v0
;;   v1 = x0
;;   v2 = load i64 8 Whole v1 memory 0 at ctx+72 +16 check end=24 wide
;;   return (v2)
;; function 1
;; func (i64) -> (i64)
;;   local x0: i64 = v0
;;   v1 = x0
;;   v2 = load i64 8 Whole v1 memory 0 at ctx+72 +18446744073709551600 check end=18446744073709551608 wide
;;   return (v2)
