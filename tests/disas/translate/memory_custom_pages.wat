;; Pages of one byte: sizes are not multiples of the system's pages, so that every access is
;; checked.
(module
  (memory 100 (pagesize 1))
  (func (param i32) (result i32)
    local.get 0
    i32.load)
  (func (result i32)
    memory.size))

;; ---
;; function 0
;; func (i32) -> (i32)
;;   local x0: i32 = v0
;;   v1 = x0
;;   v2 = load i32 4 Whole v1 memory 0 at ctx+72 +0 check end=4
;;   return (v2)
;; function 1
;; func () -> (i32)
;;   v0 = size of memory 0
;;   return (v0)
