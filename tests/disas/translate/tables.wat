;; Tables that keep their size, that grow, and that are imported.
(module
  (import "m" "t" (table $imported 1 externref))
  (table $fixed 4 4 funcref)
  (table $growing 4 externref)
  (elem declare func 0)
  (func (param i32) (result externref)
    local.get 0
    table.get $imported)
  (func (param i32)
    local.get 0
    ref.func 0
    table.set $fixed)
  (func (param i32) (result i32)
    ref.null extern
    local.get 0
    table.grow $growing))

;; ---
;; function 0
;; func (i32) -> (externref)
;;   local x0: i32 = v0
;;   v1 = x0
;;   v2 = table 0 at [ctx+64] [v1]
;;   return (v2)
;; function 1
;; func (i32) -> ()
;;   local x0: i32 = v0
;;   v1 = x0
;;   v2 = function reference 0 at ctx+112
;;   v3 = widen v1
;;   v4 = I32(1)
;;   entry table_set_func (v4, v3, v2)
;;   return ()
;; function 2
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = Null
;;   v2 = x0
;;   v3 = widen v2
;;   v4 = I32(2)
;;   v5 = entry table_grow (v4, v3, v1)
;;   v6 = narrow v5
;;   return (v6)
