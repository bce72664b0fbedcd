// The interop program for the Go client of the remoting protocol. Arguments: name server, prefix, steps separated by commas. remoting-java/ has
// the program for the Java clients, which also shows dead letters and invalid expressions.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
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
	// All at once would starve a small machine, and then what has a due time.
	stagger = 300 * time.Millisecond
	// Larger than what a producer sends as it is.
	largeBytes = 20_000
	shared     = 24
)

var steps = map[string]func(*world){
	"remoting-send":         send,
	"remoting-tags":         tags,
	"remoting-sql":          sql,
	"remoting-delay":        delay,
	"remoting-order":        order,
	"remoting-retries":      retries,
	"remoting-sharing":      sharing,
	"remoting-broadcast":    broadcast,
	"remoting-transactions": transactions,
	"remoting-access":       access,
}

// broadcast gives all messages to each consumer. What one could not handle does not come again.
func broadcast(w *world) {
	from := w.producer()
	var seen []*record
	for index := range 2 {
		made, own := w.consumer(w.name("broadcast"), "broadcast", all(), func(message *primitive.MessageExt) bool {
			return index == 0 || string(message.Body) != "fails"
		}, consumer.WithConsumerModel(consumer.BroadCasting))
		must(made.Start())
		seen = append(seen, own)
	}
	for _, body := range []string{"one", "two", "fails", "three"} {
		sendAll(from, w.message("broadcast", body, "a"))
	}
	w.emitAll("received", seen[0], 4)
	w.emitAll("received with a failure", seen[1], 4)
}

// access shows that one user may send to a topic, another one receive from it for a group, and neither anything else.
func access(w *world) {
	writer, reader := w.user("writer", "secret of the writer"), w.user("reader", "secret of the reader")
	var failed sync.Once
	made, seen := w.consumer(w.name("access"), "access", all(), func(message *primitive.MessageExt) bool {
		isHandled := true
		if string(message.Body) == "fails once" {
			failed.Do(func() { isHandled = false })
		}
		return isHandled
	}, consumer.WithCredentials(reader))
	must(made.Start())
	handled := func(*primitive.MessageExt) bool { return true }
	other, ofOthers := w.consumer(w.name("access"), "access-other", all(), handled, consumer.WithCredentials(reader))
	must(other.Start())
	none, unsigned := w.consumer(w.name("access-other"), "access-other", all(), handled)
	must(none.Start())
	from := w.producer(producer.WithCredentials(writer))
	w.send("with permission", from, w.message("access", "sent", "a"))
	w.send("another one", from, w.message("access", "fails once", "a"))
	w.send("to a topic without permission", from, w.message("access-other", "rejected", "a"))
	rejected := func() *primitive.Message { return w.message("access", "rejected", "a") }
	w.send("with a wrong key", w.producer(producer.WithCredentials(w.user("writer", "another secret"))), rejected())
	w.send("of an unknown user", w.producer(producer.WithCredentials(w.user("nobody", "a secret"))), rejected())
	w.send("without credentials", w.producer(), rejected())
	w.send("of a user that may only receive", w.producer(producer.WithCredentials(reader)), rejected())
	w.emitAll("received", seen, 3)
	w.emit("received for a group without permission", facts{"messages": ofOthers.count()})
	w.emit("received without credentials", facts{"messages": unsigned.count()})
}

func main() {
	var running sync.WaitGroup
	for name := range strings.SplitSeq(os.Args[3], ",") {
		running.Go(func() { run(steps[name], &world{nameServer: os.Args[1], prefix: os.Args[2], step: name}) })
		time.Sleep(stagger)
	}
	running.Wait()
}

// run ends a step that panics, which is how one fails, by a line that says so.
func run(do func(*world), w *world) {
	defer func() {
		if reason := recover(); reason != nil {
			w.emit("failed", facts{"error": fmt.Sprintf("%v\n%s", reason, debug.Stack())})
		}
	}()
	do(w)
	w.close()
	w.emit("end", nil)
}

func send(w *world) {
	from := w.producer()
	ctx := context.Background()
	normal := w.message("send", "normal", "a").WithKeys([]string{"k1", "k2"})
	normal.WithProperty("own-p", "v")
	w.send("a message", from, normal)
	w.send("a body to compress", from, w.message("send", strings.Repeat("z", largeBytes), "a"))
	var batch []*primitive.Message
	for number := range 3 {
		batch = append(batch, w.message("send", fmt.Sprint("batch ", number+1), "b"))
	}
	w.send("a batch", from, batch...)
	answered := make(chan facts, 1)
	must(from.SendAsync(ctx, func(_ context.Context, result *primitive.SendResult, err error) {
		answered <- outcomeOf(result, err)
	}, w.message("send", "async", "a")))
	w.emit("an asynchronous send", <-answered)
	must(from.SendOneWay(ctx, w.message("send", "one-way", "a")))
	rejected := w.message("send", "rejected", "a")
	rejected.WithProperty("own-p", strings.Repeat("v", 40_000))
	w.send("properties of 40,000 bytes", from, rejected)
	w.emitAll("received", w.consume("send", all()), 7)
}

func sendAll(from rocketmq.Producer, messages ...*primitive.Message) {
	for _, message := range messages {
		_, err := from.SendSync(context.Background(), message)
		must(err)
	}
}

func tags(w *world) {
	from := w.producer()
	seen := w.consume("tags", consumer.MessageSelector{Type: consumer.TAG, Expression: "a || c"})
	for _, tag := range []string{"a", "b", "c", ""} {
		sendAll(from, w.message("tags", "of tag "+tag, tag))
	}
	w.emitAll("received", seen, 2)
}

func sql(w *world) {
	from := w.producer()
	seen := w.consume("sql", consumer.MessageSelector{Type: consumer.SQL92, Expression: "number > 2 AND TAGS = 'a'"})
	for number := range 5 {
		tag := "a"
		if number == 3 {
			tag = "b"
		}
		message := w.message("sql", fmt.Sprint("number ", number), tag)
		message.WithProperty("number", fmt.Sprint(number))
		sendAll(from, message)
	}
	sendAll(from, w.message("sql", "without a number", "a"))
	w.emitAll("received", seen, 1)
}

func delay(w *world) {
	from := w.producer()
	var due sync.Map
	var mutex sync.Mutex
	early := []string{}
	made, seen := w.consumer(w.name("delay"), "delay", all(), func(message *primitive.MessageExt) bool {
		mutex.Lock()
		defer mutex.Unlock()
		if at, ok := due.Load(string(message.Body)); ok && time.Now().Before(at.(time.Time)) {
			early = append(early, string(message.Body))
		}
		return true
	})
	must(made.Start())
	for level := 1; level <= 2; level++ {
		message := w.message("delay", fmt.Sprint("level ", level), "a").WithDelayTimeLevel(level)
		// The time of the server may be cut to a second.
		due.Store(string(message.Body), time.Now().Add(time.Duration(level-1)*4*time.Second))
		sendAll(from, message)
	}
	w.emitAll("received", seen, 2)
	w.emit("early", facts{"messages": early})
}

func order(w *world) {
	from := w.producer(producer.WithQueueSelector(producer.NewHashQueueSelector()))
	var mutex sync.Mutex
	handled := map[string][]string{}
	hasFailed := false
	made, _ := w.consumer(w.name("order"), "order", all(), func(message *primitive.MessageExt) bool {
		mutex.Lock()
		defer mutex.Unlock()
		key, number, _ := strings.Cut(string(message.Body), " ")
		if number == "4" && !hasFailed {
			hasFailed = true
			return false
		}
		handled[key] = append(handled[key], number)
		return true
	}, consumer.WithConsumerOrder(true), consumer.WithSuspendCurrentQueueTimeMillis(500*time.Millisecond))
	must(made.Start())
	for number := range 10 {
		for key := range 3 {
			message := w.message("order", fmt.Sprint(key, " ", number), "a")
			sendAll(from, message.WithShardingKey(fmt.Sprint("key ", key)))
		}
	}
	w.until("ordered messages", func() bool {
		mutex.Lock()
		defer mutex.Unlock()
		count := 0
		for _, numbers := range handled {
			count += len(numbers)
		}
		return count >= 30
	})
	for key, numbers := range handled {
		w.emit("of key "+key, facts{"numbers": numbers})
	}
}

func retries(w *world) {
	from := w.producer()
	made, seen := w.consumer(w.name("retries"), "retries", all(), func(message *primitive.MessageExt) bool {
		return string(message.Body) == "fails once" && message.ReconsumeTimes > 0
	}, consumer.WithMaxReconsumeTimes(1))
	must(made.Start())
	once := w.message("retries", "fails once", "a").WithKeys([]string{"k"})
	once.WithProperty("own-p", "v")
	sendAll(from, once, w.message("retries", "fails always", "a"))
	w.emitAll("received", seen, 4)
}

// sharing is two consumers, of which one leaves. While queues change hands, a message may come twice.
func sharing(w *world) {
	from := w.producer()
	var handled sync.Map
	var consumers []rocketmq.PushConsumer
	var seen []*record
	for range 2 {
		made, its := w.consumer(w.name("sharing"), "sharing", all(), func(message *primitive.MessageExt) bool {
			handled.Store(string(message.Body), true)
			return true
		})
		must(made.Start())
		consumers = append(consumers, made)
		seen = append(seen, its)
	}
	sent := 0
	send := func() {
		sendAll(from, w.message("sharing", fmt.Sprint("number ", sent), "a"))
		sent++
	}
	w.until("a message for each consumer", func() bool {
		send()
		return !slices.ContainsFunc(seen, func(its *record) bool { return its.count() == 0 })
	})
	must(consumers[0].Shutdown())
	before := seen[0].count()
	for range shared {
		send()
	}
	w.until("all messages", func() bool {
		count := 0
		handled.Range(func(any, any) bool { count++; return true })
		return count == sent
	})
	w.emit("consumed", facts{"byBoth": true, "afterShutdown": seen[0].count() - before})
}

type listener struct {
	mutex   sync.Mutex
	checked map[string]bool
}

func (l *listener) ExecuteLocalTransaction(message *primitive.Message) primitive.LocalTransactionState {
	switch string(message.Body) {
	case "commit":
		return primitive.CommitMessageState
	case "rollback":
		return primitive.RollbackMessageState
	}
	return primitive.UnknowState
}

func (l *listener) CheckLocalTransaction(message *primitive.MessageExt) primitive.LocalTransactionState {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.checked[string(message.Body)] = true
	if strings.HasPrefix(string(message.Body), "commit") {
		return primitive.CommitMessageState
	}
	return primitive.RollbackMessageState
}

func transactions(w *world) {
	checker := &listener{checked: map[string]bool{}}
	from := w.transactionProducer(checker)
	seen := w.consume("transactions", all())
	for _, body := range []string{"commit", "commit when checked", "rollback", "rollback when checked"} {
		result, err := from.SendMessageInTransaction(context.Background(), w.message("transactions", body, "a"))
		must(err)
		w.emit(body, facts{"status": result.Status})
	}
	w.until("two checks", func() bool {
		checker.mutex.Lock()
		defer checker.mutex.Unlock()
		return len(checker.checked) >= 2
	})
	w.emitAll("received", seen, 2)
	checker.mutex.Lock()
	defer checker.mutex.Unlock()
	bodies := []string{}
	for body := range checker.checked {
		bodies = append(bodies, body)
	}
	slices.Sort(bodies)
	w.emit("checked", facts{"messages": bodies})
}
