// An official Go client, with its defaults: one workload, one line of JSON. The task is the argument, as JSON.
package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// settle is long enough for the last messages to come.
const settle = 5 * time.Second

// A stamped body begins with the time of its send, in nanoseconds since the start of the process, and whether it counts.
const (
	markAt     = 8
	stampBytes = 9
)

type task struct {
	Workload      string
	Endpoints     string
	NameServer    string
	Topic         string
	Group         string
	BodyBytes     int
	InFlight      int
	WarmUp        int
	Count         int
	PerSecond     int
	WarmUpSeconds int
	Seconds       int
}

// A client is what a workload needs of one.
type client interface {
	// module is where its version is found.
	module() string
	// producer starts one; what it returns sends to the topic and waits for the answer.
	producer() (func(body []byte) error, error)
	// consumer starts a push consumer.
	consumer(handle func(body []byte)) error
}

var started = time.Now()

func main() {
	go endWithParent()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// Without a shutdown: how long a client takes for its own is not what is measured.
	os.Exit(0)
}

// endWithParent waits for the end of the input, to which nothing is written: it ends when the process is gone that started this one.
func endWithParent() {
	_, _ = os.Stdin.Read(make([]byte, 1))
	os.Exit(1)
}

func run() error {
	var own task
	if err := json.Unmarshal([]byte(os.Args[1]), &own); err != nil {
		return err
	}
	var of client = &grpcClient{own}
	if own.NameServer != "" {
		of = &remotingClient{own}
	}
	workloads := map[string]func(client) (figures, error){"send": own.send, "drain": own.drain, "latency": own.latency}
	workload, isKnown := workloads[own.Workload]
	if !isKnown {
		return fmt.Errorf("there is no workload %q", own.Workload)
	}
	measured, err := workload(of)
	if err != nil {
		return err
	}
	measured.Version = versionOf(of.module())
	return json.NewEncoder(os.Stdout).Encode(measured)
}

func versionOf(module string) string {
	built, _ := debug.ReadBuildInfo()
	for _, dependency := range built.Deps {
		if dependency.Path == module {
			return dependency.Version
		}
	}
	return ""
}

func (t task) send(of client) (figures, error) {
	sendOne, err := of.producer()
	if err != nil {
		return figures{}, err
	}
	if err := t.sends(sendOne, t.WarmUp, newMeter(0)); err != nil {
		return figures{}, err
	}
	measured := newMeter(t.Count)
	if err := t.sends(sendOne, t.Count, measured); err != nil {
		return figures{}, err
	}
	return measured.figures(t.Count)
}

// sends has one goroutine for each message in flight: both clients start one by themselves for a send that does not wait.
func (t task) sends(sendOne func([]byte) error, count int, into *meter) error {
	var begun atomic.Int64
	failures := make([]error, t.InFlight)
	var running sync.WaitGroup
	for number := range t.InFlight {
		running.Go(func() {
			body := make([]byte, t.BodyBytes)
			for begun.Add(1) <= int64(count) {
				began := time.Now()
				if err := sendOne(body); err != nil {
					failures[number] = err
					return
				}
				into.latency(time.Since(began))
			}
		})
	}
	running.Wait()
	return errors.Join(failures...)
}

// drain measures from the first message after the warm-up to the last that counts.
func (t task) drain(of client) (figures, error) {
	type result struct {
		figures
		error
	}
	var handled atomic.Int64
	var current atomic.Pointer[meter]
	current.Store(newMeter(0))
	done := make(chan result, 1)
	err := of.consumer(func([]byte) {
		switch handled.Add(1) {
		case int64(t.WarmUp):
			current.Store(newMeter(0))
		case int64(t.WarmUp + t.Count):
			measured, err := current.Load().figures(t.Count)
			done <- result{measured, err}
		}
	})
	if err != nil {
		return figures{}, err
	}
	ended := <-done
	return ended.figures, ended.error
}

// latency is how long after the begin of its send a message is handled, at a fixed rate.
func (t task) latency(of client) (figures, error) {
	count := t.Seconds * t.PerSecond
	var current atomic.Pointer[meter]
	err := of.consumer(func(body []byte) {
		if body[markAt] == 1 {
			current.Load().latency(time.Since(started) - time.Duration(binary.LittleEndian.Uint64(body)))
		}
	})
	if err != nil {
		return figures{}, err
	}
	sendOne, err := of.producer()
	if err != nil {
		return figures{}, err
	}
	if err := t.sendAtRate(sendOne, t.WarmUpSeconds*t.PerSecond, 0); err != nil {
		return figures{}, err
	}
	measured := newMeter(count)
	current.Store(measured)
	if err := t.sendAtRate(sendOne, count, 1); err != nil {
		return figures{}, err
	}
	for endsAt := time.Now().Add(settle); measured.recorded() < count; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(endsAt) {
			return figures{}, fmt.Errorf("%d of %d messages came", measured.recorded(), count)
		}
	}
	return measured.figures(count)
}

func (t task) sendAtRate(sendOne func([]byte) error, count int, mark byte) error {
	failures := make([]error, count)
	var running sync.WaitGroup
	began := time.Now()
	every := time.Second / time.Duration(t.PerSecond)
	for number := range count {
		time.Sleep(time.Until(began.Add(time.Duration(number) * every)))
		body := make([]byte, max(t.BodyBytes, stampBytes))
		binary.LittleEndian.PutUint64(body, uint64(time.Since(started)))
		body[markAt] = mark
		running.Go(func() { failures[number] = sendOne(body) })
	}
	running.Wait()
	return errors.Join(failures...)
}
