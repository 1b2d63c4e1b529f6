;; Own globals lie in the context, imported ones behind a pointer; what never changes is a
;; constant.
(module
  (import "m" "g" (global $imported (mut i64)))
  (global $own (mut i32) (i32.const 7))
  (global $constant f64 (f64.const 1.5))
  (func
    global.get $own
    i32.const 1
    i32.add
    global.set $own
    global.get $imported
    global.set $imported)
  (func (result f64)
    global.get $constant))

;; ---
;; function 0
;; func () -> ()
;;   v0 = global i32 at ctx+80
;;   v1 = I32(1)
;;   v2 = I32Add v0, v1
;;   global i32 at ctx+80 = v2
;;   v3 = global i64 at [ctx+64]
;;   global i64 at [ctx+64] = v3
;;   return ()
;; function 1
;; func () -> (f64)
;;   v0 = F64(4609434218613702656)
;;   return (v0)
