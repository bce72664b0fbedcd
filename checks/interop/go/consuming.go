// Ordinary consumer groups: simple and push consumers, leases, filters, retries, dead letters, an orderly end.
package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	rmq "github.com/apache/rocketmq-clients/golang/v5"
)

// Longer than the 60 s that the server hides a message for, and than its first renewal.
const longHandling = 75 * time.Second

var strange = map[string]string{"region": "EU", "\u00dcnicode": "gr\u00fcn \U0001f407"}

var consumingSteps = map[string]step{
	"simple": simple, "leases": leases, "tags": tags, "sql": sql, "push": push, "long-handler": longHandler,
	"retries": retries, "shutdown": shutdown,
}

// The client does not look at the answer to an ack: each ends with 20000. What is left shows whether it took effect.
func simple(w *world) {
	w.send("plain", parcel{purpose: "simple"})
	w.send("full", parcel{purpose: "simple", tag: "tag-a", keys: []string{"k1", "k2"}, properties: strange})
	w.send("binary", parcel{purpose: "simple", body: []byte{0, 255, 128, 1}})
	consumer := w.simpleConsumer("simple", "simple")
	deliveries := w.receive(consumer, 3, invisible)
	w.emit("received", facts{"messages": w.inOrder(deliveries)})
	for index, one := range deliveries {
		w.code(fmt.Sprintf("ack %d", index+1), ack(consumer, one))
	}
	w.code("ack once more", ack(consumer, deliveries[0]))
	w.emit("received later", facts{"messages": w.inOrder(w.receiveOnce(consumer))})
}

func leases(w *world) {
	w.send("leased", parcel{purpose: "leases", tag: "t", keys: []string{"k"}, properties: map[string]string{"p": "v"}})
	consumer := w.simpleConsumer("leases", "leases")
	_, err := tryReceive(consumer, 9*time.Second)
	w.code("receive for 9 s", err)
	_, err = tryReceive(consumer, 13*time.Hour)
	w.code("receive for 13 h", err)
	change := func(what string, one delivery, hidden time.Duration) {
		w.code(what, consumer.ChangeInvisibleDuration(one.view, hidden))
	}
	first := w.receive(consumer, 1, invisible)[0]
	change("change to 13 h", first, 13*time.Hour)
	change("change to 1 s", first, time.Second)
	second := w.receive(consumer, 1, 10*time.Second)[0]
	time.Sleep(12 * time.Second)
	w.code("ack after the lease", ack(consumer, second))
	change("change after the lease", second, 10*time.Second)
	third := w.receive(consumer, 1, invisible)[0]
	change("renew", third, 40*time.Second)
	w.code("ack what was renewed", ack(consumer, third))
	w.emit("received", facts{"messages": w.inOrder([]delivery{first, second, third})})
	w.emit("received later", facts{"messages": w.inOrder(w.receiveOnce(consumer))})
}

func tags(w *world) {
	for _, tag := range []string{"a", "b", "c", ""} {
		w.send("tag "+tag, parcel{purpose: "tags", tag: tag})
	}
	some := w.filteringConsumer("tags", "tags-some", "a || b", rmq.TAG)
	every := w.simpleConsumer("tags", "tags-all")
	w.emit("a || b", facts{"messages": w.inAnyOrder(w.receiveAndAck(some, 2))})
	w.emit("*", facts{"messages": w.inAnyOrder(w.receiveAndAck(every, 4))})
	w.emit("a || b, later", facts{"messages": w.inAnyOrder(w.receiveOnce(some))})
}

func sql(w *world) {
	for label, message := range map[string]parcel{
		"eu-20":  {tag: "a", properties: map[string]string{"region": "EU", "amount": "20"}},
		"us-7.5": {tag: "b", properties: map[string]string{"region": "US", "amount": "7.5"}},
		"asia-5": {tag: "c", properties: map[string]string{"region": "Asia's", "amount": "5", "note": "x"}},
		"bare":   {},
		"words":  {tag: "b", properties: map[string]string{"region": "EU-west", "amount": "many"}},
	} {
		message.purpose = "sql"
		w.send(label, message)
	}
	expressions := []string{
		"region = 'EU' AND amount > 10",
		"TAGS = 'b' OR note IS NOT NULL",
		"amount BETWEEN 5 AND 7.5",
		"region IN ('US', 'Asia''s') AND NOT (amount >= 6)",
		"region STARTSWITH 'EU' AND region <> 'EU'",
		"region IS NULL",
		"region CONTAINS 'sia' or region ENDSWITH 'west'",
	}
	received := make([][]delivery, len(expressions))
	failures := make([]any, len(expressions))
	consumers := make([]rmq.SimpleConsumer, len(expressions))
	var draining sync.WaitGroup
	for index, expression := range expressions {
		consumers[index] = w.filteringConsumer("sql", fmt.Sprintf("sql-%d", index+1), expression, rmq.SQL92)
		draining.Go(func() {
			defer func() { failures[index] = recover() }()
			received[index] = w.drain(consumers[index])
		})
	}
	draining.Wait()
	for index, expression := range expressions {
		if failures[index] != nil {
			panic(failures[index])
		}
		w.emit(expression, facts{"messages": w.inAnyOrder(received[index])})
	}
	wrong := w.filteringConsumer("sql", "sql-1", "region = = 3", rmq.SQL92)
	_, err := tryReceive(wrong, 10*time.Second)
	w.code("an expression that is none", err)
}

func push(w *world) {
	_, heard := w.pushConsumer("push", "push", func(text string, attempt int32) bool { return text != "push 03" || attempt != 1 })
	const count = 12
	for number := range count {
		label := fmt.Sprintf("push %02d", number)
		w.send(label, parcel{purpose: "push", tag: "t", keys: []string{label}, properties: map[string]string{"label": label}})
	}
	w.until("all messages and one retry", func() bool { return len(heard.all()) >= count+1 })
	time.Sleep(5 * time.Second)
	w.emit("consumed", facts{"messages": w.inAnyOrder(heard.all())})
}

func longHandler(w *world) {
	_, heard := w.pushConsumer("long-handler", "long-handler", func(string, int32) bool {
		time.Sleep(longHandling)
		return true
	})
	w.send("slow", parcel{purpose: "long-handler"})
	w.until("the message", func() bool { return len(heard.all()) > 0 })
	time.Sleep(longHandling + 8*time.Second)
	w.emit("consumed", facts{"messages": w.inAnyOrder(heard.all())})
}

func retries(w *world) {
	_, heard := w.pushConsumer("retries", "retries", func(string, int32) bool { return false })
	w.send("poison", parcel{purpose: "retries", tag: "t", keys: []string{"k1", "k2"}, properties: strange})
	w.until("both attempts", func() bool { return len(heard.all()) >= 2 })
	letters := w.deadLetters("retries", "retries-dead")
	time.Sleep(3 * time.Second)
	w.emit("consumed", facts{"messages": w.inOrder(heard.all())})
	w.emit("dead letters", facts{"messages": w.inOrder(letters)})
}

func shutdown(w *world) {
	var ended atomic.Bool
	consumer, heard := w.pushConsumer("shutdown", "shutdown", func(string, int32) bool {
		time.Sleep(3 * time.Second)
		ended.Store(true)
		return true
	})
	w.send("in hand", parcel{purpose: "shutdown"})
	w.until("the message", func() bool { return len(heard.all()) > 0 })
	check(consumer.GracefulStop())
	w.forget(consumer)
	w.emit("the end of a consumer", facts{"handlerHadEnded": ended.Load()})
	w.send("after", parcel{purpose: "shutdown"})
	following := w.simpleConsumer("shutdown", "shutdown")
	w.emit("left for the next", facts{"messages": w.inAnyOrder(w.drain(following))})
}
