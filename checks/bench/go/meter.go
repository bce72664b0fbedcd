package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// A meter measures from its making on: real time, the CPU time of this process in user and system mode, latencies.
type meter struct {
	latencies []time.Duration
	count     atomic.Int64
	cpu       time.Duration
	began     time.Time
}

type figures struct {
	Messages      int      `json:"messages"`
	Seconds       float64  `json:"seconds"`
	PerSecond     float64  `json:"perSecond"`
	CPUMicros     float64  `json:"cpuMicros"`
	CPUPercent    float64  `json:"cpuPercent"`
	ResidentBytes int64    `json:"residentBytes"`
	PeakBytes     int64    `json:"peakBytes"`
	P50Ms         *float64 `json:"p50Ms,omitempty"`
	P99Ms         *float64 `json:"p99Ms,omitempty"`
	Version       string   `json:"version"`
}

// newMeter takes up to so many latencies.
func newMeter(count int) *meter {
	return &meter{latencies: make([]time.Duration, count), cpu: cpuTime(), began: time.Now()}
}

func (m *meter) latency(one time.Duration) {
	if index := m.count.Add(1) - 1; index < int64(len(m.latencies)) {
		m.latencies[index] = one
	}
}

func (m *meter) recorded() int {
	return int(m.count.Load())
}

func (m *meter) figures(messages int) (figures, error) {
	elapsed, cpu := time.Since(m.began), cpuTime()-m.cpu
	resident, peak, err := memory()
	measured := figures{
		Messages:      messages,
		Seconds:       elapsed.Seconds(),
		PerSecond:     float64(messages) / elapsed.Seconds(),
		CPUMicros:     cpu.Seconds() * 1e6 / float64(messages),
		CPUPercent:    cpu.Seconds() / elapsed.Seconds() * 100,
		ResidentBytes: resident,
		PeakBytes:     peak,
	}
	if sorted := slices.Sorted(slices.Values(m.latencies[:min(m.recorded(), len(m.latencies))])); len(sorted) > 0 {
		measured.P50Ms, measured.P99Ms = percentile(sorted, 50), percentile(sorted, 99)
	}
	return measured, err
}

func percentile(sorted []time.Duration, percent int) *float64 {
	index := max(0, (percent*len(sorted)+99)/100-1)
	milliseconds := sorted[index].Seconds() * 1000
	return &milliseconds
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// memory is what is resident, and the most that was, on Linux; nothing elsewhere.
func memory() (resident, peak int64, err error) {
	status, err := os.Open("/proc/self/status")
	if os.IsNotExist(err) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	defer status.Close()
	sizes := map[string]*int64{"VmRSS": &resident, "VmHWM": &peak}
	for lines := bufio.NewScanner(status); lines.Scan(); {
		name, size, _ := strings.Cut(lines.Text(), ":")
		if into, isWanted := sizes[name]; isWanted {
			if _, err := fmt.Sscan(size, into); err != nil {
				return 0, 0, err
			}
			*into *= 1024
		}
	}
	return resident, peak, nil
}
