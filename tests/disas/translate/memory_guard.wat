;; A 32-bit memory of the module's own: guard pages stand for the bounds check, whatever the
;; static offset below the guard.
(module
  (memory 1)
  (func (param i32) (result i32)
    local.get 0
    i32.load)
  (func (param i32 i64)
    local.get 0
    local.get 1
    i64.store offset=4096))

;; ---
;; function 0
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = x0
;;   v2 = load i32 4 Whole v1 memory 0 at ctx+72 +0 guard
;;   return (v2)
;; function 1
;; func (i32, i64) -> ()
;;   local x0: i32 = v0
;;   local x1: i64 = v1
;;   v2 = x0
;;   v3 = x1
;;   store i64 8 v2 v3 memory 0 at ctx+72 +4096 guard
;;   return ()
