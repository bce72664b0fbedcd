// The interop program for the official Java clients of the remoting protocol (rocketmq-client), which compiles with 4.9.8 and 5.5.0. Arguments: name
// server, prefix, steps separated by commas. remoting-go/ has the program for the Go client, without dead letters and invalid expressions.
package interop;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.RequestCallback;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.RPCHook;

public final class Program {
    /** Each client has threads and connections of its own: more steps at a time starve a small machine. */
    private static final int STEPS_AT_A_TIME = 3;
    private static final MessageSelector ALL = MessageSelector.byTag("*");
    /** Larger than what a producer sends as it is. */
    private static final int LARGE_BYTES = 20_000;
    private static final int SHARED = 24;
    /** Consumed before this program says that messages flow. */
    private static final int FLOWING = 20;
    private static final int PAUSE_MS = 5;
    private static final int ANSWER_MS = 60_000;
    private static final int UNANSWERED_MS = 3_000;

    interface Step {
        void run(World world) throws Exception;
    }

    private static final Map<String, Step> STEPS = Map.ofEntries(
        Map.entry("remoting-send", Program::send),
        Map.entry("remoting-requests", Program::requests),
        Map.entry("remoting-tags", Program::tags),
        Map.entry("remoting-sql", Program::sql),
        Map.entry("remoting-delay", Program::delay),
        Map.entry("remoting-order", Program::order),
        Map.entry("remoting-retries", Program::retries),
        Map.entry("remoting-sharing", Program::sharing),
        Map.entry("remoting-broadcast", Program::broadcast),
        Map.entry("remoting-pop", Program::pop),
        Map.entry("remoting-transactions", Program::transactions),
        Map.entry("remoting-tls", Program::tls),
        Map.entry("remoting-reset", Program::reset),
        Map.entry("remoting-access", Program::access),
        Map.entry("kills", Program::kills));

    public static void main(String[] args) throws InterruptedException {
        ExecutorService steps = Executors.newFixedThreadPool(STEPS_AT_A_TIME);
        for (String name : args[2].split(",")) {
            steps.execute(() -> run(name, new World(args[0], args[1], name)));
        }
        steps.shutdown();
        // Who runs this program ends it when it takes too long.
        steps.awaitTermination(1, TimeUnit.HOURS);
        System.exit(0);
    }

    private static void run(String name, World world) {
        try {
            STEPS.get(name).run(world);
            world.close();
            world.emit("end");
        } catch (Throwable error) {
            world.emit("failed", "error", Json.stackOf(error));
            world.close();
        }
    }

    private static void send(World world) throws Exception {
        DefaultMQProducer producer = world.producer();
        Message normal = world.message("send", "normal", "a");
        normal.setKeys(List.of("k1", "k2"));
        normal.putUserProperty("own-p", "v");
        world.send("a message", () -> producer.send(normal));
        world.send("a body to compress", () -> producer.send(world.message("send", "z".repeat(LARGE_BYTES), "a")));
        world.send("a batch", () -> producer.send(Stream.of("batch 1", "batch 2", "batch 3")
            .map(body -> world.message("send", body, "b")).toList()));
        CountDownLatch answered = new CountDownLatch(1);
        producer.send(world.message("send", "async", "a"), new SendCallback() {
            @Override
            public void onSuccess(SendResult result) {
                world.emit("an asynchronous send", "status", result.getSendStatus().toString());
                answered.countDown();
            }

            @Override
            public void onException(Throwable error) {
                world.emit("an asynchronous send", "rejected", World.codeOf(error));
                answered.countDown();
            }
        });
        answered.await(1, TimeUnit.MINUTES);
        producer.sendOneway(world.message("send", "one-way", "a"));
        world.send("properties of 40,000 bytes", () -> {
            Message message = world.message("send", "rejected", "a");
            message.putUserProperty("own-p", "v".repeat(40_000));
            return producer.send(message);
        });
        world.emitAll("received", world.consume("send", "send", ALL), 7);
    }

    /** The answer goes through the broker to the process that asked, which waits for it; it is in no topic of the program. */
    private static void requests(World world) throws Exception {
        DefaultMQProducer answering = world.producer();
        List<MessageExt> asked = world.consume(world.consumer(world.name("requests"), "requests", ALL), message -> {
            if (World.textOf(message).startsWith("ignored")) return true;
            world.send("an answer to " + World.textOf(message), () -> answering.send(answerTo(message)));
            if (World.textOf(message).endsWith("queue")) {
                world.send("a second answer", () -> answering.send(answerTo(message)));
            }
            return true;
        });
        DefaultMQProducer asking = world.producer();
        Message first = world.message("requests", "a request", "a");
        first.putUserProperty("own-request", "r");
        world.emitAnswer("the answer", asking.request(first, ANSWER_MS));
        CountDownLatch answered = new CountDownLatch(1);
        AtomicBoolean isAnswered = new AtomicBoolean();
        asking.request(world.message("requests", "an asynchronous request", "a"), new RequestCallback() {
            @Override
            public void onSuccess(Message answer) {
                // The client may call once more when the broker confirms the request, without an answer unless that is there already.
                if (answer == null || isAnswered.getAndSet(true)) return;
                world.emitAnswer("the answer to an asynchronous request", answer);
                answered.countDown();
            }

            @Override
            public void onException(Throwable error) {
                world.emit("the answer to an asynchronous request", "rejected", World.codeOf(error));
                answered.countDown();
            }
        }, ANSWER_MS);
        answered.await(1, TimeUnit.MINUTES);
        world.emitAnswer("the answer to a request to a queue", asking.request(world.message("requests", "a request to a queue", "a"),
            (queues, message, argument) -> queues.get(0), "argument", ANSWER_MS));
        world.send("a request that nobody answers", () -> {
            asking.request(world.message("requests", "ignored", "a"), UNANSWERED_MS);
            return null;
        });
        world.emitAll("received", asked, 4);
    }

    private static Message answerTo(MessageExt request) throws MQClientException {
        byte[] body = ("answer to " + World.textOf(request)).getBytes(StandardCharsets.UTF_8);
        Message answer = MessageUtil.createReplyMessage(request, body);
        answer.putUserProperty("own-answer", "a");
        return answer;
    }

    private static void tags(World world) throws Exception {
        DefaultMQProducer producer = world.producer();
        List<MessageExt> seen = world.consume("tags", "tags", MessageSelector.byTag("a || c"));
        for (String tag : List.of("a", "b", "c", "")) {
            producer.send(world.message("tags", "of tag " + tag, tag));
        }
        world.emitAll("received", seen, 2);
    }

    private static void sql(World world) throws Exception {
        DefaultMQProducer producer = world.producer();
        List<MessageExt> seen = world.consume("sql", "sql", MessageSelector.bySql("number > 2 AND TAGS = 'a'"));
        for (int number = 0; number < 5; number++) {
            Message message = world.message("sql", "number " + number, number == 3 ? "b" : "a");
            message.putUserProperty("number", String.valueOf(number));
            producer.send(message);
        }
        producer.send(world.message("sql", "without a number", "a"));
        world.emitAll("received", seen, 1);
        try {
            world.consume("sql", "sql-invalid", MessageSelector.bySql("number >"));
            world.emit("an expression that is none", "rejected", false);
        } catch (MQClientException error) {
            world.emit("an expression that is none", "rejected", true);
        }
    }

    private static void delay(World world) throws Exception {
        DefaultMQProducer producer = world.producer();
        Map<String, Long> dueMs = new ConcurrentHashMap<>();
        List<String> early = new ArrayList<>();
        List<MessageExt> seen = world.consume(world.consumer(world.name("delay"), "delay", ALL), message -> {
            synchronized (early) {
                if (System.currentTimeMillis() < dueMs.getOrDefault(World.textOf(message), 0L)) early.add(World.textOf(message));
            }
            return true;
        });
        for (int level = 1; level <= 2; level++) {
            Message message = world.message("delay", "level " + level, "a");
            message.setDelayTimeLevel(level);
            // The time of the server may be cut to a second.
            dueMs.put("level " + level, System.currentTimeMillis() + (level == 1 ? 0 : 4_000));
            producer.send(message);
        }
        world.emitAll("received", seen, 2);
        world.emit("early", "messages", early);
    }

    private static void order(World world) throws Exception {
        DefaultMQProducer producer = world.producer();
        Map<String, List<String>> handled = new ConcurrentHashMap<>();
        AtomicInteger count = new AtomicInteger();
        AtomicBoolean hasFailed = new AtomicBoolean();
        DefaultMQPushConsumer consumer = world.consumer(world.name("order"), "order", ALL);
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            for (MessageExt message : messages) {
                String[] parts = World.textOf(message).split(" ");
                if (parts[1].equals("4") && hasFailed.compareAndSet(false, true)) {
                    context.setSuspendCurrentQueueTimeMillis(500);
                    return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
                }
                handled.computeIfAbsent(parts[0], key -> new ArrayList<>()).add(parts[1]);
                count.incrementAndGet();
            }
            return ConsumeOrderlyStatus.SUCCESS;
        });
        consumer.start();
        for (int number = 0; number < 10; number++) {
            for (int key = 0; key < 3; key++) {
                producer.send(world.message("order", key + " " + number, "a"),
                    (queues, message, index) -> queues.get((Integer) index % queues.size()), key);
            }
        }
        world.until("ordered messages", () -> count.get() >= 30);
        handled.forEach((key, numbers) -> world.emit("of key " + key, "numbers", numbers));
    }

    private static void retries(World world) throws Exception {
        DefaultMQProducer producer = world.producer();
        DefaultMQPushConsumer consumer = world.consumer(world.name("retries"), "retries", ALL);
        consumer.setMaxReconsumeTimes(1);
        List<MessageExt> seen = world.consume(consumer, message ->
            World.textOf(message).equals("fails once") && message.getReconsumeTimes() > 0);
        Message once = world.message("retries", "fails once", "a");
        once.setKeys("k");
        once.putUserProperty("own-p", "v");
        producer.send(once);
        producer.send(world.message("retries", "fails always", "a"));
        world.emitAll("received", seen, 4);
        String dead = "%DLQ%" + world.name("retries");
        List<MessageExt> left = world.consume(world.consumer(dead, "retries-dead", ALL), message -> true);
        world.emitAll("dead letters", left, 1);
    }

    /** Two consumers, of which one leaves. While queues change hands, a message may come twice. */
    private static void sharing(World world) throws Exception {
        DefaultMQProducer producer = world.producer();
        Set<String> handled = ConcurrentHashMap.newKeySet();
        List<DefaultMQPushConsumer> consumers = new ArrayList<>();
        List<List<MessageExt>> seen = new ArrayList<>();
        for (int index = 0; index < 2; index++) {
            DefaultMQPushConsumer consumer = world.consumer(world.name("sharing"), "sharing", ALL);
            consumers.add(consumer);
            seen.add(world.consume(consumer, message -> {
                handled.add(World.textOf(message));
                return true;
            }));
        }
        int[] sent = {0};
        world.until("a message for each consumer", () -> {
            sendShared(world, producer, sent[0]++);
            return seen.stream().noneMatch(List::isEmpty);
        });
        consumers.get(0).shutdown();
        int before = seen.get(0).size();
        for (int index = 0; index < SHARED; index++) {
            sendShared(world, producer, sent[0]++);
        }
        world.until("all messages", () -> handled.size() == sent[0]);
        world.emit("consumed", "byBoth", true, "afterShutdown", seen.get(0).size() - before);
    }

    private static void sendShared(World world, DefaultMQProducer producer, int number) {
        try {
            producer.send(world.message("sharing", "number " + number, "a"));
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    /** Each consumer gets all messages. What one could not handle does not come again. */
    private static void broadcast(World world) throws Exception {
        DefaultMQProducer producer = world.producer();
        List<List<MessageExt>> seen = new ArrayList<>();
        for (int index = 0; index < 2; index++) {
            boolean handlesAll = index == 0;
            DefaultMQPushConsumer consumer = world.consumer(world.name("broadcast"), "broadcast", ALL);
            World.broadcasts(consumer);
            seen.add(world.consume(consumer, message -> handlesAll || !World.textOf(message).equals("fails")));
        }
        for (String body : List.of("one", "two", "fails", "three")) {
            producer.send(world.message("broadcast", body, "a"));
        }
        world.emitAll("received", seen.get(0), 4);
        world.emitAll("received with a failure", seen.get(1), 4);
    }

    /** In POP mode, which the broker assigns. Clients of 4.x have none. */
    private static void pop(World world) throws Exception {
        DefaultMQProducer producer = world.producer();
        DefaultMQPushConsumer consumer = world.consumer(world.name("pop"), "pop", ALL);
        world.popMode(producer, consumer, world.name("pop"));
        List<MessageExt> seen = world.consume(consumer, message ->
            !World.textOf(message).equals("fails once") || message.getReconsumeTimes() > 0);
        for (String body : List.of("handled", "fails once", "handled, too")) {
            producer.send(world.message("pop", body, "a"));
        }
        world.emitAll("received", seen, 4);
    }

    /** The certificates are not verified, which these clients do by default. */
    private static void tls(World world) throws Exception {
        DefaultMQProducer producer = world.producer(true);
        DefaultMQPushConsumer consumer = world.consumer(world.name("tls"), "tls", ALL);
        consumer.setUseTLS(true);
        List<MessageExt> seen = world.consume(consumer, message -> true);
        world.send("by TLS", () -> producer.send(world.message("tls", "by TLS", "a")));
        world.send("a body to compress", () -> producer.send(world.message("tls", "z".repeat(LARGE_BYTES), "a")));
        world.emitAll("received", seen, 2);
    }

    /** A tool moves the group back while its consumer waits for messages. */
    private static void reset(World world) throws Exception {
        DefaultMQProducer producer = world.producer();
        List<MessageExt> seen = world.consume("reset", "reset", ALL);
        for (String body : List.of("one", "two", "three")) {
            producer.send(world.message("reset", body, "a"));
        }
        world.emitAll("received", seen, 3);
        world.reset(producer, world.name("reset"), world.name("reset"));
        world.emitAll("received with the repetitions", seen, 6);
    }

    /** One user may send to a topic, another one receive from it for a group; neither may do anything else. */
    private static void access(World world) throws Exception {
        RPCHook writer = world.user("writer", "secret of the writer");
        RPCHook reader = world.user("reader", "secret of the reader");
        Set<String> failed = ConcurrentHashMap.newKeySet();
        List<MessageExt> seen = world.consume(world.consumer(world.name("access"), "access", ALL, reader), message ->
            !(World.textOf(message).equals("fails once") && failed.add("once")));
        List<MessageExt> ofOthers = world.consume(world.consumer(world.name("access"), "access-other", ALL, reader), message -> true);
        List<MessageExt> unsigned = world.consume(world.consumer(world.name("access-other"), "access-other", ALL), message -> true);
        DefaultMQProducer producer = world.producer(writer);
        world.send("with permission", () -> producer.send(world.message("access", "sent", "a")));
        world.send("another one", () -> producer.send(world.message("access", "fails once", "a")));
        world.send("to a topic without permission", () -> producer.send(world.message("access-other", "rejected", "a")));
        Message rejected = world.message("access", "rejected", "a");
        world.send("with a wrong key", () -> world.producer(world.user("writer", "another secret")).send(rejected));
        world.send("of an unknown user", () -> world.producer(world.user("nobody", "a secret")).send(rejected));
        world.send("without credentials", () -> world.producer().send(rejected));
        world.send("of a user that may only receive", () -> world.producer(reader).send(rejected));
        world.emitAll("received", seen, 3);
        world.emit("received for a group without permission", "messages", ofOthers.size());
        world.emit("received without credentials", "messages", unsigned.size());
    }

    /** Sends until its input ends: the one who kills the broker says when. Without an answer a message may have been accepted; a copy does no harm here. */
    private static void kills(World world) throws Exception {
        AtomicBoolean isOver = new AtomicBoolean();
        Thread input = new Thread(() -> isOver.set(World.inputHasEnded()));
        input.setDaemon(true);
        input.start();
        Set<String> consumed = ConcurrentHashMap.newKeySet();
        world.consume(world.consumer(world.name("kills"), "kills", ALL), message -> {
            consumed.add(World.textOf(message));
            return true;
        });
        DefaultMQProducer producer = world.producer();
        List<String> sent = new ArrayList<>();
        boolean isFlowing = false;
        while (!isOver.get()) {
            String body = "number " + sent.size();
            world.until("an answer to a send", () -> isAccepted(producer, world.message("kills", body, "a")));
            sent.add(body);
            if (!isFlowing && consumed.size() >= FLOWING) {
                isFlowing = true;
                world.emit("flowing");
            }
            Thread.sleep(PAUSE_MS);
        }
        world.until("all messages", () -> consumed.containsAll(sent));
        world.emit("consumed", "all", true);
    }

    private static boolean isAccepted(DefaultMQProducer producer, Message message) {
        try {
            return producer.send(message).getSendStatus() == SendStatus.SEND_OK;
        } catch (Exception error) {
            return false;
        }
    }

    private static void transactions(World world) throws Exception {
        Map<String, LocalTransactionState> outcomes = Map.of(
            "commit", LocalTransactionState.COMMIT_MESSAGE,
            "rollback", LocalTransactionState.ROLLBACK_MESSAGE,
            "commit when checked", LocalTransactionState.UNKNOW,
            "rollback when checked", LocalTransactionState.UNKNOW);
        Set<String> checked = ConcurrentHashMap.newKeySet();
        TransactionMQProducer producer = new TransactionMQProducer(world.name("transactions"));
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object outcome) {
                return (LocalTransactionState) outcome;
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                checked.add(World.textOf(message));
                return World.textOf(message).startsWith("commit") ? LocalTransactionState.COMMIT_MESSAGE
                    : LocalTransactionState.ROLLBACK_MESSAGE;
            }
        });
        world.started(producer);
        List<MessageExt> seen = world.consume("transactions", "transactions", ALL);
        for (String body : outcomes.keySet().stream().sorted().toList()) {
            Message message = world.message("transactions", body, "a");
            world.send(body, () -> producer.sendMessageInTransaction(message, outcomes.get(body)));
        }
        world.until("two checks", () -> checked.size() >= 2);
        world.emitAll("received", seen, 2);
        world.emit("checked", "messages", checked.stream().sorted().toList());
    }
}
