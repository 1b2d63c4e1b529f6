;; Where descriptors lie, and what casts by them ask.
(module
  (rec
    (type $a (sub (descriptor $b) (struct (field i32))))
    (type $b (sub (describes $a) (struct (field i64)))))
  (func (param (ref null (exact $b))) (result (ref (exact $a)))
    (struct.new_desc $a (i32.const 1) (local.get 0)))
  (func (param (ref null $a)) (result (ref $b))
    (ref.get_desc $a (local.get 0)))
  (func (param anyref (ref $b)) (result (ref $a))
    (ref.cast_desc_eq (ref $a) (local.get 0) (local.get 1)))
  (func (param (ref $a) (ref (exact $b))) (result (ref null $a))
    (br_on_cast_desc_eq 0 (ref $a) (ref (exact $a)) (local.get 0) (local.get 1)))
)

;; ---
;; function 0
;; func ((ref null (exact 1))) -> ((ref (exact 0)))
;;   local x0: (ref null (exact 1)) = v0
;;   v1 = I32(1)
;;   v2 = x0
;;   trap NullDescriptorReference if null v2
;;   v3 = new object of 16 bytes
;;   v4 = id of type 0
;;   field v3 I32 at +0 = v4
;;   field v3 I32 at +8 = v1
;;   field v3 Ref at +4 = v2
;;   return (v3)
;; function 1
;; func ((ref null 0)) -> ((ref 1))
;;   local x0: (ref null 0) = v0
;;   v1 = x0
;;   v2 = field v1 Ref at +4 or fault
;;   return (v2)
;; function 2
;; func (anyref, (ref 1)) -> ((ref 0))
;;   local x0: anyref = v0
;;   local x1: (ref 1) = v1
;;   v2 = x0
;;   v3 = x1
;;   trap NullDescriptorReference if null v3
;;   trap unless v2 is not null and not i31 and type 0 or below (depth 0) with v3 as Ref at +4
;;   return (v2)
;; function 3
;; func ((ref 0), (ref (exact 1))) -> ((ref null 0))
;;   local x0: (ref 0) = v0
;;   local x1: (ref (exact 1)) = v1
;;   v2 = x0
;;   v3 = x1
;;   trap NullDescriptorReference if null v3
;;   if v2 is type 0 with v3 as Ref at +4 jump L0 (v2)
;;   jump L0 (v2)
;; L0(v4):
;;   return (v4)
