;; An index that is known while compiling.
(module
  (memory 1 1)
  (func (result i32)
    i32.const 65532
    i32.load)
  (func (result i32)
    i32.const 65533
    i32.load))

;; ---
;; function 0
;; func () -> (i32)
;;   v0 = I32(65532)
;;   v1 = load i32 4 Whole v0 memory 0 at ctx+72 +0 guard
;;   return (v1)
;; function 1
;; func () -> (i32)
;;   v0 = I32(65533)
;;   v1 = load i32 4 Whole v0 memory 0 at ctx+72 +0 guard
;;   return (v1)
