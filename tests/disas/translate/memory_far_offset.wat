;; An offset beyond the guard is checked.
(module
  (memory 1)
  (func (param i32) (result i32)
    local.get 0
    i32.load8_u offset=0xfffffff0))

;; ---
;; function 0
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = x0
;;   v2 = load i32 1 Unsigned v1 memory 0 at ctx+72 +4294967280 check end=4294967281
;;   return (v2)
