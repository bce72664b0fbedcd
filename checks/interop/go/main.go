// The interop program for the official Go client. Arguments: endpoints, prefix, steps separated by commas. Each step prints
// what it saw as JSON lines; java/, node/ and python/ hold the same program for the other clients.
package main

import (
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	rmq "github.com/apache/rocketmq-clients/golang/v5"
)

// All at once would starve a small machine, and then what has a lease or a due time.
const stagger = 300 * time.Millisecond

type step func(*world)

func main() {
	// By default this client speaks TLS, and so it does here wherever the server can.
	rmq.EnableSsl = os.Getenv("INTEROP_PLAINTEXT") == ""
	endpoints, prefix, wanted := os.Args[1], os.Args[2], os.Args[3]
	steps := map[string]step{}
	for _, some := range []map[string]step{sendingSteps, consumingSteps, orderingSteps, transactionSteps} {
		maps.Copy(steps, some)
	}
	var running sync.WaitGroup
	for name := range strings.SplitSeq(wanted, ",") {
		running.Go(func() { run(steps[name], &world{endpoints: endpoints, prefix: prefix, step: name}) })
		time.Sleep(stagger)
	}
	running.Wait()
}

// run ends a step that panics, which is how one fails, by a line that says so.
func run(do step, w *world) {
	defer func() {
		if reason := recover(); reason != nil {
			w.emit("failed", facts{"error": fmt.Sprintf("%v\n%s", reason, debug.Stack())})
		}
	}()
	do(w)
	w.close()
	w.emit("end", nil)
}
