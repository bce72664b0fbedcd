// What a step works with: clients that are closed after it, what it received, and lines that say so without ids or times.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	rmq "github.com/apache/rocketmq-clients/golang/v5"
	"github.com/apache/rocketmq-clients/golang/v5/credentials"
	v2 "github.com/apache/rocketmq-clients/golang/v5/protocol/v2"
)

const (
	requestTimeout = 10 * time.Second
	await          = 5 * time.Second
	timeout        = 90 * time.Second
	quiet          = 8 * time.Second
	poll           = 20 * time.Millisecond
	invisible      = 30 * time.Second
	batch          = 16
	dead           = "%DLQ%"
)

type facts map[string]any

// delivery holds the attempt as it was then: the client counts in place.
type delivery struct {
	view    *rmq.MessageView
	attempt int32
	at      time.Time
}

type sent struct {
	label     string
	deliverAt time.Time
}

// A parcel is a message before it is one: what the zero value leaves out is not set.
type parcel struct {
	purpose    string
	body       []byte
	tag        string
	keys       []string
	properties map[string]string
	group      string
	deliverAt  time.Time
	priority   int32
}

type client interface {
	Start() error
	GracefulStop() error
}

type world struct {
	endpoints, prefix, step string

	lock    sync.Mutex
	sent    map[string]sent
	clients []client
	own     rmq.Producer
}

var output sync.Mutex

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func deliveryOf(view *rmq.MessageView) delivery {
	return delivery{view, view.GetDeliveryAttempt(), time.Now()}
}

func (w *world) name(purpose string) string {
	if rest, isDead := strings.CutPrefix(purpose, dead); isDead {
		return dead + w.prefix + rest
	}
	return w.prefix + purpose
}

// emit prints a line; `what` is unique in its step.
func (w *world) emit(what string, said facts) {
	line := facts{"step": w.step, "what": what}
	for fact, value := range said {
		line[fact] = value
	}
	text := must(json.Marshal(line))
	output.Lock()
	defer output.Unlock()
	must(os.Stdout.Write(append(text, '\n')))
}

// code prints how a call ended: 20000, the server's code, or that the client rejected by itself.
func (w *world) code(what string, err error) {
	status, isStatus := rmq.AsErrRpcStatus(err)
	switch {
	case err == nil:
		w.emit(what, facts{"code": 20000})
	case isStatus:
		w.emit(what, facts{"code": status.GetCode()})
	default:
		w.emit(what, facts{"code": "rejected by the client: " + err.Error()})
	}
}

func (w *world) config(group string) *rmq.Config {
	return &rmq.Config{Endpoint: w.endpoints, ConsumerGroup: group, Credentials: &credentials.SessionCredentials{}}
}

func (w *world) start(one client) error {
	if patient, ok := one.(interface{ SetRequestTimeout(time.Duration) }); ok {
		patient.SetRequestTimeout(requestTimeout)
	}
	if err := one.Start(); err != nil {
		return err
	}
	w.clients = append(w.clients, one)
	return nil
}

func (w *world) producer(options ...rmq.ProducerOption) rmq.Producer {
	producer := must(rmq.NewProducer(w.config(""), options...))
	check(w.start(producer))
	return producer
}

// sender names the topic that it is first used for: a client without one waits forever for its settings.
func (w *world) sender(purpose string) rmq.Producer {
	if w.own == nil {
		w.own = w.producer(rmq.WithTopics(w.name(purpose)))
	}
	return w.own
}

func (w *world) message(p parcel) *rmq.Message {
	message := &rmq.Message{Topic: w.name(p.purpose), Body: p.body}
	if p.tag != "" {
		message.SetTag(p.tag)
	}
	message.SetKeys(p.keys...)
	for key, value := range p.properties {
		message.AddProperty(key, value)
	}
	if p.group != "" {
		message.SetMessageGroup(p.group)
	}
	if !p.deliverAt.IsZero() {
		message.SetDelayTimestamp(p.deliverAt)
	}
	if p.priority != 0 {
		check(message.SetPriority(p.priority))
	}
	return message
}

// trySend sends a message that is called `label` from then on; that is its body, too, if it has no other.
func (w *world) trySend(label string, p parcel) (*rmq.SendReceipt, error) {
	return w.sendBy(label, p, w.sender(p.purpose).Send)
}

func (w *world) sendBy(label string, p parcel, send func(context.Context, *rmq.Message) ([]*rmq.SendReceipt, error)) (*rmq.SendReceipt, error) {
	if p.body == nil {
		p.body = []byte(label)
	}
	receipts, err := send(context.Background(), w.message(p))
	if err != nil {
		return nil, err
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	if w.sent == nil {
		w.sent = map[string]sent{}
	}
	w.sent[receipts[0].MessageID] = sent{label, p.deliverAt}
	return receipts[0], nil
}

func (w *world) send(label string, p parcel) *rmq.SendReceipt {
	return must(w.trySend(label, p))
}

func (w *world) simpleConsumer(topic, group string) rmq.SimpleConsumer {
	return must(w.trySimpleConsumer(topic, group, rmq.SUB_ALL))
}

func (w *world) filteringConsumer(topic, group, expression string, kind rmq.FilterExpressionType) rmq.SimpleConsumer {
	return must(w.trySimpleConsumer(topic, group, rmq.NewFilterExpressionWithType(expression, kind)))
}

func (w *world) trySimpleConsumer(topic, group string, filter *rmq.FilterExpression) (rmq.SimpleConsumer, error) {
	subscription := map[string]*rmq.FilterExpression{w.name(topic): filter}
	consumer, err := rmq.NewSimpleConsumer(w.config(w.name(group)),
		rmq.WithSimpleAwaitDuration(await), rmq.WithSimpleSubscriptionExpressions(subscription))
	if err != nil {
		return nil, err
	}
	return consumer, w.start(consumer)
}

// A listened is what a push consumer's listener was given.
type listened struct {
	lock       sync.Mutex
	deliveries []delivery
}

func (l *listened) add(one delivery) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.deliveries = append(l.deliveries, one)
}

func (l *listened) all() []delivery {
	l.lock.Lock()
	defer l.lock.Unlock()
	return slices.Clone(l.deliveries)
}

func (l *listened) of(label string) []delivery {
	return slices.DeleteFunc(l.all(), func(one delivery) bool { return string(one.view.GetBody()) != label })
}

// pushConsumer gives text and attempt to `handle`, which says whether the message was handled.
func (w *world) pushConsumer(topic, group string, handle func(text string, attempt int32) bool) (rmq.PushConsumer, *listened) {
	heard := &listened{}
	consume := func(view *rmq.MessageView) rmq.ConsumerResult {
		one := deliveryOf(view)
		heard.add(one)
		if handle(string(view.GetBody()), one.attempt) {
			return rmq.SUCCESS
		}
		return rmq.FAILURE
	}
	consumer := must(rmq.NewPushConsumer(w.config(w.name(group)),
		rmq.WithPushAwaitDuration(await),
		rmq.WithPushSubscriptionExpressions(map[string]*rmq.FilterExpression{w.name(topic): rmq.SUB_ALL}),
		rmq.WithPushMessageListener(&rmq.FuncMessageListener{Consume: consume})))
	check(w.start(consumer))
	return consumer, heard
}

// receiveOnce is one long poll. That nothing came is an error to the client.
func (w *world) receiveOnce(consumer rmq.SimpleConsumer) []delivery {
	return must(tryReceive(consumer, invisible))
}

func tryReceive(consumer rmq.SimpleConsumer, hidden time.Duration) ([]delivery, error) {
	views, err := consumer.Receive(context.Background(), batch, hidden)
	if status, ok := rmq.AsErrRpcStatus(err); ok && status.GetCode() == int32(v2.Code_MESSAGE_NOT_FOUND) {
		return nil, nil
	}
	var deliveries []delivery
	for _, view := range views {
		deliveries = append(deliveries, deliveryOf(view))
	}
	return deliveries, err
}

// receive goes on until `count` messages are there.
func (w *world) receive(consumer rmq.SimpleConsumer, count int, hidden time.Duration) []delivery {
	var deliveries []delivery
	for endsAt := time.Now().Add(timeout); len(deliveries) < count; {
		if time.Now().After(endsAt) {
			panic(fmt.Sprintf("%d of %d messages came in %v", len(deliveries), count, timeout))
		}
		deliveries = append(deliveries, must(tryReceive(consumer, hidden))...)
	}
	return deliveries
}

func ack(consumer rmq.SimpleConsumer, one delivery) error {
	return consumer.Ack(context.Background(), one.view)
}

func (w *world) receiveAndAck(consumer rmq.SimpleConsumer, count int) []delivery {
	deliveries := w.receive(consumer, count, invisible)
	for _, one := range deliveries {
		check(ack(consumer, one))
	}
	return deliveries
}

// drain receives and acks until nothing has come for some time. A poll may end at once when all was filtered out.
func (w *world) drain(consumer rmq.SimpleConsumer) []delivery {
	var deliveries []delivery
	for quietSince := time.Now(); time.Since(quietSince) < quiet; {
		received := w.receiveOnce(consumer)
		for _, one := range received {
			check(ack(consumer, one))
			quietSince = time.Now()
		}
		if len(received) == 0 {
			time.Sleep(poll)
		}
		deliveries = append(deliveries, received...)
	}
	return deliveries
}

func (w *world) until(what string, condition func() bool) {
	for endsAt := time.Now().Add(timeout); !condition(); time.Sleep(poll) {
		if time.Now().After(endsAt) {
			panic(fmt.Sprintf("%v passed, waiting for %s", timeout, what))
		}
	}
}

// deadLetters receives one. Its topic is made by the server, after some time, and a consumer does not start without it.
func (w *world) deadLetters(topic, group string) []delivery {
	var consumer rmq.SimpleConsumer
	w.until("the topic of the dead letters", func() bool {
		var err error
		consumer, err = w.trySimpleConsumer(dead+topic, group, rmq.SUB_ALL)
		return err == nil
	})
	return w.receiveAndAck(consumer, 1)
}

// inOrder is the order of arrival.
func (w *world) inOrder(deliveries []delivery) []facts {
	described := make([]facts, 0, len(deliveries))
	for _, one := range deliveries {
		described = append(described, w.describe(one))
	}
	return described
}

// inAnyOrder is for topics of several queues, which promise no order.
func (w *world) inAnyOrder(deliveries []delivery) []facts {
	described := w.inOrder(deliveries)
	key := func(one facts) string { return fmt.Sprintf("%s %03d", one["message"], one["attempt"]) }
	slices.SortStableFunc(described, func(one, other facts) int { return strings.Compare(key(one), key(other)) })
	return described
}

// describe returns what may be compared of a delivery. The client's messages have no priority.
func (w *world) describe(one delivery) facts {
	view := one.view
	w.lock.Lock()
	defer w.lock.Unlock()
	was, isKnown := w.sent[view.GetMessageId()]
	if !isKnown {
		was.label = "unknown id"
	}
	properties := map[string]string{}
	for key, value := range view.GetProperties() {
		if of, isID := w.sent[value]; isID {
			value = "id of " + of.label
		}
		properties[key] = value
	}
	keys := append([]string{}, view.GetKeys()...)
	slices.Sort(keys)
	hash := sha256.Sum256(view.GetBody())
	bornHost := *view.GetBornHost()
	if own, err := os.Hostname(); err == nil && own == bornHost {
		bornHost = "own"
	}
	return facts{
		"message":    was.label,
		"topic":      strings.ReplaceAll(view.GetTopic(), w.prefix, ""),
		"body":       hex.EncodeToString(hash[:8]),
		"bytes":      len(view.GetBody()),
		"tag":        view.GetTag(),
		"keys":       keys,
		"properties": properties,
		"group":      view.GetMessageGroup(),
		"attempt":    one.attempt,
		"bornHost":   bornHost,
		"deliverAt":  deliverAt(view.GetDeliveryTimestamp(), was.deliverAt),
		"early":      !was.deliverAt.IsZero() && one.at.Before(was.deliverAt.Add(-time.Second)),
	}
}

func deliverAt(received *time.Time, asked time.Time) any {
	switch {
	case received == nil:
		return nil
	case received.UnixMilli() == asked.UnixMilli():
		return "as sent"
	default:
		return "another"
	}
}

func (w *world) forget(one client) {
	w.clients = slices.DeleteFunc(w.clients, func(other client) bool { return other == one })
}

func (w *world) close() {
	for _, one := range slices.Backward(w.clients) {
		check(one.GracefulStop())
	}
}
