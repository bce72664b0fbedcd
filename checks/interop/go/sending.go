// What a broker takes and rejects, and what comes of delays, recalls and priorities.
package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
)

const maxBodyBytes = 4 * 1024 * 1024

var sendingSteps = map[string]step{"send": send, "large": large, "delay": delay, "recall": recall, "priority": priority}

func send(w *world) {
	inAnHour := time.Now().Add(time.Hour)
	for label, message := range map[string]parcel{
		"normal": {purpose: "send-normal", tag: "a", keys: []string{"k1", "k2"}, properties: map[string]string{"p": "v"}},
		"fifo":   {purpose: "send-fifo", group: "g"},
		"delay":  {purpose: "send-delay", deliverAt: inAnHour},
	} {
		receipt, err := w.trySend(label, message)
		w.code(fmt.Sprintf("a %s message", label), err)
		check(err)
		transactionID := receipt.TransactionId
		if transactionID == receipt.MessageID {
			transactionID = "the message id"
		}
		w.emit(fmt.Sprintf("the receipt of a %s message", label),
			facts{"transactionId": transactionID, "recallHandle": receipt.RecallHandle != ""})
	}
	for what, message := range map[string]parcel{
		"an unknown topic":                     {purpose: "nowhere"},
		"a normal message to an ordered topic": {purpose: "send-fifo"},
		"an ordered message to a normal topic": {purpose: "send-normal", group: "g"},
		"a delayed message to a normal topic":  {purpose: "send-normal", deliverAt: inAnHour},
		"a delay of 25 hours":                  {purpose: "send-delay", deliverAt: time.Now().Add(25 * time.Hour)},
		"a reserved property":                  {purpose: "send-normal", properties: map[string]string{"KEYS": "v"}},
		"properties of 17 KB":                  {purpose: "send-normal", properties: map[string]string{"p": strings.Repeat("v", 17_000)}},
		"a group of 64 bytes":                  {purpose: "send-fifo", group: strings.Repeat("g", 64)},
		"a tag with a control character":       {purpose: "send-normal", tag: "a\u0001"},
		"a key with a control character":       {purpose: "send-normal", keys: []string{"k\u0001"}},
		"a body over the limit":                {purpose: "send-normal", body: make([]byte, maxBodyBytes+1)},
	} {
		_, err := w.trySend(what, message)
		w.code(what, err)
	}
}

func large(w *world) {
	// As much as the other clients take.
	_, err := w.trySend("large", parcel{purpose: "large", body: bytes.Repeat([]byte("x"), maxBodyBytes-8192)})
	w.code("a body near the limit", err)
	consumer := w.simpleConsumer("large", "large")
	w.emit("received", facts{"messages": w.inOrder(w.receiveAndAck(consumer, 1))})
}

func delay(w *world) {
	consumer := w.simpleConsumer("delay", "delay")
	w.sender("delay")
	now := time.Now().Truncate(time.Millisecond)
	past := w.send("past", parcel{purpose: "delay", deliverAt: now.Add(-5 * time.Second), tag: "t", keys: []string{"k"}})
	w.send("late", parcel{
		purpose: "delay", deliverAt: now.Add(14 * time.Second), tag: "t", keys: []string{"k"}, properties: map[string]string{"p": "v"},
	})
	w.send("soon", parcel{purpose: "delay", deliverAt: now.Add(7 * time.Second)})
	w.emit("the receipt of a message for the past", facts{"recallHandle": past.RecallHandle != ""})
	w.emit("received", facts{"messages": w.inAnyOrder(w.receiveAndAck(consumer, 3))})
}

func recall(w *world) {
	consumer := w.simpleConsumer("recall", "recall")
	at := time.Now().Truncate(time.Millisecond).Add(30 * time.Second)
	recalled := w.send("recalled", parcel{purpose: "recall", deliverAt: at})
	w.send("kept", parcel{purpose: "recall", deliverAt: at})
	recallBy := func(what, handle string) string {
		id, err := w.sender("recall").Recall(context.Background(), w.name("recall"), handle)
		w.code(what, err)
		return id
	}
	id := recallBy("recall", recalled.RecallHandle)
	w.emit("the receipt of a recall", facts{"isOfTheMessage": id == recalled.MessageID})
	recallBy("recall once more", recalled.RecallHandle)
	recallBy("recall by a handle of nonsense", "nonsense")
	w.emit("received", facts{"messages": w.inOrder(w.receiveAndAck(consumer, 1))})
	w.emit("received later", facts{"messages": w.inOrder(w.receiveOnce(consumer))})
	recallBy("recall what was due", recalled.RecallHandle)
}

func priority(w *world) {
	for _, number := range []int32{1, 3, 7, 5} {
		w.send(fmt.Sprintf("priority %d", number), parcel{purpose: "priority", priority: number})
	}
	consumer := w.simpleConsumer("priority", "priority")
	w.emit("received", facts{"messages": w.inOrder(w.receiveAndAck(consumer, 4))})
}
