// Ordered consumer groups.
package main

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

var orderingSteps = map[string]step{"order": order, "order-leases": orderLeases, "order-retries": orderRetries}

func order(w *world) {
	groups := []string{"red", "green", "blue"}
	for number := range 5 {
		for _, group := range groups {
			w.send(fmt.Sprintf("%s %d", group, number), parcel{purpose: "order", group: group})
		}
	}
	var failed atomic.Bool
	_, heard := w.pushConsumer("order", "order", func(text string, _ int32) bool {
		return text != "green 2" || !failed.CompareAndSwap(false, true)
	})
	w.until("all messages and one retry", func() bool { return len(heard.all()) >= 16 })
	time.Sleep(3 * time.Second)
	for _, group := range groups {
		ofGroup := slices.DeleteFunc(heard.all(), func(one delivery) bool { return *one.view.GetMessageGroup() != group })
		w.emit("consumed of "+group, facts{"messages": w.inOrder(ofGroup)})
	}
}

func orderLeases(w *world) {
	for number := 1; number <= 5; number++ {
		w.send(fmt.Sprintf("m%d", number), parcel{purpose: "order-leases", group: "g", tag: fmt.Sprintf("t%d", number)})
	}
	consumer := w.simpleConsumer("order-leases", "order-leases")
	first := w.receive(consumer, 5, invisible)
	w.emit("received", facts{"messages": w.inOrder(first)})
	w.code("ack the first", ack(consumer, first[0]))
	w.code("ack the third", ack(consumer, first[2]))
	w.emit("received while it is held", facts{"messages": w.inOrder(w.receiveOnce(consumer))})
	again := w.receive(consumer, 4, invisible)
	w.emit("received after the lease", facts{"messages": w.inOrder(again)})
	for _, one := range again {
		check(ack(consumer, one))
	}
	w.send("m6", parcel{purpose: "order-leases", group: "g"})
	w.emit("received at last", facts{"messages": w.inOrder(w.receiveAndAck(consumer, 1))})
}

// The messages are sent first, to come in one batch: the client goes on in a batch while a message waits for its retry.
func orderRetries(w *world) {
	for _, label := range []string{"before", "poison", "behind"} {
		w.send(label, parcel{purpose: "order-retries", group: "g", tag: "t", keys: []string{"k"}, properties: map[string]string{"p": "v"}})
	}
	_, heard := w.pushConsumer("order-retries", "order-retries", func(text string, _ int32) bool { return text != "poison" })
	w.until("all messages and one retry", func() bool { return len(heard.all()) >= 4 })
	letters := w.deadLetters("order-retries", "order-retries-dead")
	w.emit("consumed", facts{"messages": w.inOrder(heard.all())})
	w.emit("dead letters", facts{"messages": w.inOrder(letters)})
}
