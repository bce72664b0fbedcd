// What a step works with: clients that are shut down after it, and lines that say what it saw without ids, times or hosts.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const (
	timeout     = 90 * time.Second
	quiet       = 3 * time.Second
	poll        = 20 * time.Millisecond
	sendTimeout = 10 * time.Second
	shownBytes  = 40
)

// ownProperties are those that a client may add as it likes.
var ownProperties = []string{"TRACE_ON", "CLUSTER", "INSTANCE_ID", "CONSUME_START_TIME"}

type facts map[string]any

// A handler says whether a message was handled; the delay level of its retry is the first.
type handler func(*primitive.MessageExt) bool

var printing sync.Mutex

type world struct {
	nameServer, prefix, step string
	mutex                    sync.Mutex
	clients                  int
	closers                  []func() error
}

// name is that of a topic or group by its purpose.
func (w *world) name(purpose string) string {
	return w.prefix + "remoting-" + purpose
}

// emit prints a line; what is unique in its step.
func (w *world) emit(what string, seen facts) {
	line := facts{"step": w.step, "what": what}
	maps.Copy(line, seen)
	text, err := json.Marshal(line)
	must(err)
	printing.Lock()
	defer printing.Unlock()
	fmt.Fprintln(os.Stdout, string(text))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// instance keeps two clients of a process from being one.
func (w *world) instance() string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.clients++
	return fmt.Sprintf("%s-%d-%d", w.step, w.clients, os.Getpid())
}

func (w *world) onClose(closer func() error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.closers = append(w.closers, closer)
}

func (w *world) close() {
	for _, closer := range slices.Backward(w.closers) {
		// The step may have shut it down already.
		_ = closer()
	}
}

func (w *world) options(group string) []producer.Option {
	return []producer.Option{
		producer.WithNameServer([]string{w.nameServer}),
		producer.WithGroupName(w.name(group)),
		producer.WithInstanceName(w.instance()),
		producer.WithSendMsgTimeout(sendTimeout),
	}
}

func (w *world) producer(others ...producer.Option) rocketmq.Producer {
	made, err := rocketmq.NewProducer(append(w.options(w.step+"-producers"), others...)...)
	must(err)
	must(made.Start())
	w.onClose(made.Shutdown)
	return made
}

// user is one that a broker with users has.
func (w *world) user(name, secret string) primitive.Credentials {
	return primitive.Credentials{AccessKey: w.prefix + name, SecretKey: secret}
}

func (w *world) transactionProducer(listener primitive.TransactionListener) rocketmq.TransactionProducer {
	made, err := rocketmq.NewTransactionProducer(listener, w.options("transactions")...)
	must(err)
	must(made.Start())
	w.onClose(made.Shutdown)
	return made
}

func (w *world) message(topic, body, tag string) *primitive.Message {
	made := primitive.NewMessage(w.name(topic), []byte(body))
	if tag != "" {
		made.WithTag(tag)
	}
	return made
}

// send prints the status of a send, or that it was rejected.
func (w *world) send(what string, from rocketmq.Producer, messages ...*primitive.Message) {
	result, err := from.SendSync(context.Background(), messages...)
	w.emit(what, outcomeOf(result, err))
}

func outcomeOf(result *primitive.SendResult, err error) facts {
	if err != nil {
		var rejected primitive.MQBrokerErr
		if errors.As(err, &rejected) {
			return facts{"rejected": rejected.ResponseCode}
		}
		return facts{"rejected": true}
	}
	return facts{"status": result.Status}
}

// A record is what a consumer was given, while it comes, as it was then.
type record struct {
	mutex    sync.Mutex
	messages []facts
}

func (r *record) count() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return len(r.messages)
}

func all() consumer.MessageSelector {
	return consumer.MessageSelector{Type: consumer.TAG, Expression: "*"}
}

// consumer is from the first message on; it is not started.
func (w *world) consumer(topic, group string, selector consumer.MessageSelector, handle handler, others ...consumer.Option) (rocketmq.PushConsumer, *record) {
	made, err := rocketmq.NewPushConsumer(append([]consumer.Option{
		consumer.WithNameServer([]string{w.nameServer}),
		consumer.WithGroupName(w.name(group)),
		consumer.WithInstance(w.instance()),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	}, others...)...)
	must(err)
	seen := &record{}
	must(made.Subscribe(topic, selector, func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, message := range messages {
			seen.mutex.Lock()
			seen.messages = append(seen.messages, w.describe(message))
			seen.mutex.Unlock()
			if !handle(message) {
				context, isUnordered := primitive.GetConcurrentlyCtx(ctx)
				if !isUnordered {
					return consumer.SuspendCurrentQueueAMoment, nil
				}
				context.DelayLevelWhenNextConsume = 1
				return consumer.ConsumeRetryLater, nil
			}
		}
		return consumer.ConsumeSuccess, nil
	}))
	w.onClose(made.Shutdown)
	return made, seen
}

func (w *world) consume(topic string, selector consumer.MessageSelector) *record {
	made, seen := w.consumer(w.name(topic), topic, selector, func(*primitive.MessageExt) bool { return true })
	must(made.Start())
	return seen
}

// emitAll prints the messages when so many are there, and no other has come for some time. They are sorted: queues promise no order.
func (w *world) emitAll(what string, seen *record, count int) {
	w.until(fmt.Sprint(count, " messages of ", what), func() bool { return seen.count() >= count })
	time.Sleep(quiet)
	seen.mutex.Lock()
	defer seen.mutex.Unlock()
	w.emit(what, facts{"messages": slices.SortedFunc(slices.Values(seen.messages), func(one, other facts) int {
		byBody := strings.Compare(one["body"].(string), other["body"].(string))
		return cmp.Or(byBody, cmp.Compare(one["retries"].(int32), other["retries"].(int32)))
	})})
}

func (w *world) describe(message *primitive.MessageExt) facts {
	properties := map[string]string{}
	for key, value := range message.GetProperties() {
		if slices.Contains(ownProperties, key) {
			continue
		}
		if !strings.HasPrefix(key, "own-") {
			value = ""
		}
		properties[key] = value
	}
	body := string(message.Body)
	return facts{
		"body":       body[:min(len(body), shownBytes)],
		"bytes":      len(body),
		"topic":      strings.Replace(message.Topic, w.prefix, "", 1),
		"tag":        message.GetTags(),
		"keys":       message.GetKeys(),
		"properties": properties,
		"retries":    message.ReconsumeTimes,
		"sysFlag":    message.SysFlag,
	}
}

func (w *world) until(what string, condition func() bool) {
	for endsAt := time.Now().Add(timeout); !condition(); time.Sleep(poll) {
		if time.Now().After(endsAt) {
			panic(fmt.Sprintf("%v passed, waiting for %s", timeout, what))
		}
	}
}
