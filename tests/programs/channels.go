// Goroutines, channels and maps: what the Go runtime's own scheduler and collector do.
package main

import (
	"fmt"
	"runtime"
	"sync"
)

func main() {
	results := make(chan int)
	var group sync.WaitGroup
	for i := 0; i < 10; i++ {
		group.Add(1)
		go func(n int) {
			defer group.Done()
			garbage := make([][]byte, 0)
			for j := 0; j < 200; j++ {
				garbage = append(garbage, make([]byte, 1<<12))
			}
			runtime.KeepAlive(garbage)
			results <- n * n
		}(i)
	}
	go func() {
		group.Wait()
		close(results)
	}()
	sum, workers := 0, 0
	for r := range results {
		sum += r
		workers++
	}
	runtime.GC()
	fmt.Printf("sum %d, %d workers, %v\n", sum, workers, map[string]int{"b": 2, "a": 1})
}
