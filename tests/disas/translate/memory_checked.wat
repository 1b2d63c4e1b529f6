;; tuning: guard-pages=off
;; Without guard pages each access has a check.
(module
  (memory 1)
  (func (param i32) (result i32)
    local.get 0
    i32.load)
  (func (param i32)
    local.get 0
    i32.const 7
    i32.store8 offset=65536))

;; ---
;; function 0
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = x0
;;   v2 = load i32 4 Whole v1 memory 0 at ctx+72 +0 check end=4
;;   return (v2)
;; function 1
;; func (i32) -> ()
;;   local x0: i32 = v0
;;   v1 = x0
;;   v2 = I32(7)
;;   store i32 1 v1 v2 memory 0 at ctx+72 +65536 check end=65537
;;   return ()
