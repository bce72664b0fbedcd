package main

import (
	"context"
	"fmt"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

// remotingClient is rocketmq-client-go, by name servers; it pulls.
type remotingClient struct{ task }

func (*remotingClient) module() string {
	return "github.com/apache/rocketmq-client-go/v2"
}

func (c *remotingClient) producer() (func([]byte) error, error) {
	rlog.SetLogLevel("error")
	made, err := rocketmq.NewProducer(
		producer.WithNameServer([]string{c.NameServer}),
		producer.WithGroupName(c.Group+"-producer"),
		producer.WithInstanceName("producer"))
	if err != nil {
		return nil, err
	}
	send := func(body []byte) error {
		result, err := made.SendSync(context.Background(), primitive.NewMessage(c.Topic, body))
		if err == nil && result.Status != primitive.SendOK {
			err = fmt.Errorf("the send ended with status %d", result.Status)
		}
		return err
	}
	if err := made.Start(); err != nil {
		return nil, err
	}
	// Of many first sends at once, some find no route.
	return send, send(make([]byte, c.BodyBytes))
}

func (c *remotingClient) consumer(handle func([]byte)) error {
	rlog.SetLogLevel("error")
	made, err := rocketmq.NewPushConsumer(
		consumer.WithNameServer([]string{c.NameServer}),
		consumer.WithGroupName(c.Group),
		consumer.WithInstance("consumer"),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	if err != nil {
		return err
	}
	err = made.Subscribe(c.Topic, consumer.MessageSelector{Type: consumer.TAG, Expression: "*"},
		func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			for _, message := range messages {
				handle(message.Body)
			}
			return consumer.ConsumeSuccess, nil
		})
	if err != nil {
		return err
	}
	return made.Start()
}
