;; tuning: guard-pages=off spectre-checks=off
(module
  (memory 1)
  (func (param i32) (result f64)
    local.get 0
    f64.load offset=8))

;; ---
;; function 0
;; func (i32) -> (f64)
;;   local x0: i32 = v0
;;   v1 = x0
;;   v2 = load f64 8 Whole v1 memory 0 at ctx+72 +8 check end=16
;;   return (v2)
