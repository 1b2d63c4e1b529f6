;; tuning: inlining=off
;; The kinds of callees: defined here, imported, through a table, through a reference, in tail
;; position.
(module
  (type $t (func (param i32) (result i32)))
  (import "m" "f" (func $imported (type $t)))
  (table 2 funcref)
  (func $own (type $t) local.get 0)
  (func (type $t) local.get 0 call $own)
  (func (type $t) local.get 0 call $imported)
  (func (type $t) local.get 0 local.get 0 call_indirect (type $t))
  (func (param (ref null $t)) (result i32) i32.const 1 local.get 0 call_ref $t)
  (func (type $t) local.get 0 return_call $own))

;; ---
;; function 0
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = x0
;;   return (v1)
;; function 1
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = x0
;;   (v2) = call direct 0 (v1)
;;   return (v2)
;; function 2
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = x0
;;   (v2) = call import ctx+64 (v1)
;;   return (v2)
;; function 3
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = x0
;;   v2 = x0
;;   (v3) = call indirect table 0 at ctx+112 type 0 index v2 (v1)
;;   return (v3)
;; function 4
;; func ((ref null 0)) -> (i32)
;;   local x0: (ref null 0) = v0
;;   v1 = I32(1)
;;   v2 = x0
;;   (v3) = call ref v2 (v1)
;;   return (v3)
;; function 5
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = x0
;;   return call direct 0 (v1)
