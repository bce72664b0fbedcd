package shop

import (
	"context"
	"strings"
	"testing"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// twoHours is the level of the delay: 18 of 1s 5s 10s 30s 1m ... 10m 20m 30m 1h 2h.
const twoHours = 18

func TestUnpaidOrderIsClosedAfterTwoHours(t *testing.T) {
	closed := make(chan string, 1)
	closing, err := rocketmq.NewPushConsumer(
		consumer.WithNameServer([]string{nameServer}),
		consumer.WithGroupName("closing"),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	)
	check(t, err)
	check(t, closing.Subscribe("unpaid-order", consumer.MessageSelector{}, func(_ context.Context, orders ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, order := range orders {
			closed <- string(order.Body)
		}
		return consumer.ConsumeSuccess, nil
	}))
	check(t, closing.Start())
	defer closing.Shutdown()
	shop, err := rocketmq.NewProducer(producer.WithNameServer([]string{nameServer}), producer.WithGroupName("shop"))
	check(t, err)
	check(t, shop.Start())
	defer shop.Shutdown()

	order := primitive.NewMessage("unpaid-order", []byte("order-1")).WithDelayTimeLevel(twoHours)
	_, err = shop.SendSync(t.Context(), order)
	check(t, err)

	advance(t, 119*time.Minute)
	if strings.Contains(messages(t, "unpaid-order"), "order-1") {
		t.Fatal("it is closed too early")
	}
	advance(t, time.Minute)
	select {
	case id := <-closed:
		if id != "order-1" {
			t.Fatal("closed ", id)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it is not closed")
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
