// Half messages: ended by their producer, or by the answer to a check.
package main

import (
	"context"
	"maps"
	"slices"

	rmq "github.com/apache/rocketmq-clients/golang/v5"
)

var transactionSteps = map[string]step{"transactions": transactions}

// What a check answers, by the number of times that it has come.
var answers = map[string]func(times int) rmq.TransactionResolution{
	"check commit":   func(int) rmq.TransactionResolution { return rmq.COMMIT },
	"check rollback": func(int) rmq.TransactionResolution { return rmq.ROLLBACK },
	"check later": func(times int) rmq.TransactionResolution {
		if times < 2 {
			return rmq.UNKNOWN
		}
		return rmq.COMMIT
	},
	"commit during checks": func(int) rmq.TransactionResolution { return rmq.UNKNOWN },
}

func transactions(w *world) {
	checks := &listened{}
	checker := &rmq.TransactionChecker{Check: func(view *rmq.MessageView) rmq.TransactionResolution {
		checks.add(deliveryOf(view))
		label := string(view.GetBody())
		return answers[label](len(checks.of(label)))
	}}
	producer := w.producer(rmq.WithTransactionChecker(checker), rmq.WithTopics(w.name("transactions")))
	begin := func(label string) rmq.Transaction {
		transaction := producer.BeginTransaction()
		half := parcel{purpose: "transactions", tag: "t", keys: []string{"k1", "k2"}, properties: map[string]string{"p": "v"}}
		_, err := w.sendBy(label, half, func(ctx context.Context, message *rmq.Message) ([]*rmq.SendReceipt, error) {
			return producer.SendWithTransaction(ctx, message, transaction)
		})
		w.code("half message: "+label, err)
		return transaction
	}
	committed := begin("commit")
	w.code("commit", committed.Commit())
	w.code("commit once more", committed.Commit())
	w.code("rollback", begin("rollback").RollBack())
	late := begin("commit during checks")
	for _, label := range []string{"check commit", "check rollback", "check later"} {
		begin(label)
	}
	consumer := w.simpleConsumer("transactions", "transactions")
	var messages []delivery
	receiveUntil := func(count int) {
		for len(firstOfEach(messages)) < count {
			messages = append(messages, w.receiveAndAck(consumer, 1)...)
		}
	}
	receiveUntil(3)
	w.until("a check of a transaction under way", func() bool { return len(checks.of("commit during checks")) > 0 })
	w.code("commit after a check", late.Commit())
	receiveUntil(4)
	w.until("the check that is answered by a rollback", func() bool { return len(checks.of("check rollback")) > 0 })
	messages = append(messages, w.receiveOnce(consumer)...)
	received := w.inAnyOrder(firstOfEach(messages))
	for _, one := range received {
		withoutCount(one)
	}
	w.emit("received", facts{"messages": received})
	for _, label := range slices.Sorted(maps.Keys(answers)) {
		w.emit("first check: "+label, facts{"message": w.describe(checks.of(label)[0])})
	}
	w.emit("second check: check later", facts{"message": w.describe(checks.of("check later")[1])})
}

// firstOfEach: a real server asks again when a check falls due while the answer to the one before is under way, and a
// message comes twice.
func firstOfEach(deliveries []delivery) []delivery {
	ids := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(deliveries), func(one delivery) bool {
		isKnown := ids[one.view.GetMessageId()]
		ids[one.view.GetMessageId()] = true
		return isKnown
	})
}

// withoutCount: how often a message was checked before its end took effect is a matter of luck; that it was checked is not.
func withoutCount(message facts) {
	const count = "TRANSACTION_CHECK_TIMES"
	properties := message["properties"].(map[string]string)
	_, message["checked"] = properties[count]
	delete(properties, count)
}
