package main

import (
	"context"
	"os"

	rmq "github.com/apache/rocketmq-clients/golang/v5"
	"github.com/apache/rocketmq-clients/golang/v5/credentials"
)

// grpcClient is golang/v5, by a proxy.
type grpcClient struct{ task }

func (*grpcClient) module() string {
	return "github.com/apache/rocketmq-clients/golang/v5"
}

func (c *grpcClient) config() *rmq.Config {
	// By default it speaks TLS, and logs each step; the other clients do neither here.
	rmq.EnableSsl = false
	_ = os.Setenv("rocketmq.client.logLevel", "error")
	rmq.ResetLogger()
	return &rmq.Config{Endpoint: c.Endpoints, ConsumerGroup: c.Group, Credentials: &credentials.SessionCredentials{}}
}

func (c *grpcClient) producer() (func([]byte) error, error) {
	producer, err := rmq.NewProducer(c.config(), rmq.WithTopics(c.Topic))
	if err != nil {
		return nil, err
	}
	send := func(body []byte) error {
		_, err := producer.Send(context.Background(), &rmq.Message{Topic: c.Topic, Body: body})
		return err
	}
	return send, producer.Start()
}

func (c *grpcClient) consumer(handle func([]byte)) error {
	consume := func(view *rmq.MessageView) rmq.ConsumerResult {
		handle(view.GetBody())
		return rmq.SUCCESS
	}
	consumer, err := rmq.NewPushConsumer(c.config(),
		rmq.WithPushSubscriptionExpressions(map[string]*rmq.FilterExpression{c.Topic: rmq.SUB_ALL}),
		rmq.WithPushMessageListener(&rmq.FuncMessageListener{Consume: consume}))
	if err != nil {
		return err
	}
	return consumer.Start()
}
