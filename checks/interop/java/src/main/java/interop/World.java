// What a step works with: clients that are closed after it, what it received, and lines that say so without ids or times.
package interop;

import java.io.Closeable;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BooleanSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.rocketmq.client.apis.ClientConfiguration;
import org.apache.rocketmq.client.apis.ClientServiceProvider;
import org.apache.rocketmq.client.apis.consumer.ConsumeResult;
import org.apache.rocketmq.client.apis.consumer.FilterExpression;
import org.apache.rocketmq.client.apis.consumer.FilterExpressionType;
import org.apache.rocketmq.client.apis.consumer.PushConsumer;
import org.apache.rocketmq.client.apis.consumer.SimpleConsumer;
import org.apache.rocketmq.client.apis.message.Message;
import org.apache.rocketmq.client.apis.message.MessageBuilder;
import org.apache.rocketmq.client.apis.message.MessageView;
import org.apache.rocketmq.client.apis.producer.Producer;
import org.apache.rocketmq.client.apis.producer.SendReceipt;
import org.apache.rocketmq.client.apis.producer.Transaction;
import org.apache.rocketmq.client.apis.producer.TransactionChecker;

final class World {
    static final Duration INVISIBLE = Duration.ofSeconds(30);
    private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(10);
    private static final Duration AWAIT = Duration.ofSeconds(5);
    private static final long TIMEOUT_MS = 90_000;
    private static final long QUIET_MS = 8_000;
    private static final long POLL_MS = 20;
    private static final Pattern CODE = Pattern.compile("response-code=(\\d+)");

    /** A delivery, with the attempt as it was then: the client counts in place. */
    record Delivery(MessageView view, int attempt, long atMs) {
        static Delivery of(MessageView view) {
            return new Delivery(view, view.getDeliveryAttempt(), System.currentTimeMillis());
        }

        String text() {
            return textOf(view);
        }
    }

    /** A push consumer and what it was given. */
    record Recorder(PushConsumer consumer, List<Delivery> deliveries) {
    }

    /** Says whether a message was handled. */
    interface Handler {
        boolean handle(String text, int attempt) throws Exception;
    }

    private record Sent(String label, Long deliverAtMs) {
    }

    private final ClientServiceProvider provider = ClientServiceProvider.loadService();
    private final ClientConfiguration configuration;
    private final String prefix;
    private final String step;
    private final Map<String, Sent> sent = new ConcurrentHashMap<>();
    private final Deque<Closeable> closers = new ArrayDeque<>();
    private Producer ownProducer;

    World(String endpoints, String prefix, String step) {
        this.prefix = prefix;
        this.step = step;
        var builder = ClientConfiguration.newBuilder().setEndpoints(endpoints).setRequestTimeout(REQUEST_TIMEOUT);
        // By default this client speaks TLS, and so it does here wherever the server can.
        if (System.getenv("INTEROP_PLAINTEXT") != null) {
            builder.enableSsl(false);
        }
        configuration = builder.build();
    }

    /** The name of a topic or group by its purpose. */
    String name(String purpose) {
        String dead = "%DLQ%";
        return purpose.startsWith(dead) ? dead + prefix + purpose.substring(dead.length()) : prefix + purpose;
    }

    /** Prints a line; `what` is unique in its step, facts are names and values in turn. */
    void emit(String what, Object... facts) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("step", step);
        line.put("what", what);
        for (int index = 0; index < facts.length; index += 2) {
            line.put(facts[index].toString(), facts[index + 1]);
        }
        synchronized (System.out) {
            System.out.println(Json.of(line));
        }
    }

    /** Runs a call and prints its code: 20000, the server's, or that the client rejected by itself. */
    <T> T code(String what, Callable<T> call) {
        try {
            T result = call.call();
            emit(what, "code", 20000);
            return result;
        } catch (Exception error) {
            emit(what, "code", codeOf(error));
            return null;
        }
    }

    interface Action {
        void run() throws Exception;
    }

    void codeOfAction(String what, Action action) {
        code(what, () -> {
            action.run();
            return null;
        });
    }

    private static Object codeOf(Throwable error) {
        for (Throwable at = error; at != null; at = at.getCause()) {
            Matcher found = CODE.matcher(String.valueOf(at.getMessage()));
            if (found.find()) {
                return Integer.parseInt(found.group(1));
            }
        }
        return "rejected by the client: " + error.getClass().getSimpleName();
    }

    Producer producer(TransactionChecker checker, String... topics) throws Exception {
        var builder = provider.newProducerBuilder().setClientConfiguration(configuration).setTopics(topics);
        if (checker != null) {
            builder.setTransactionChecker(checker);
        }
        return onClose(builder.build());
    }

    private synchronized Producer ownProducer() throws Exception {
        if (ownProducer == null) {
            ownProducer = producer(null);
        }
        return ownProducer;
    }

    /** A message to the topic of a purpose, with the text as its body. */
    MessageBuilder message(String purpose, String body) {
        return message(purpose, body.getBytes(StandardCharsets.UTF_8));
    }

    MessageBuilder message(String purpose, byte[] body) {
        return provider.newMessageBuilder().setTopic(name(purpose)).setBody(body);
    }

    SendReceipt send(String label, Message message) throws Exception {
        return note(label, message, ownProducer().send(message));
    }

    SendReceipt send(String label, Message message, Producer producer, Transaction transaction) throws Exception {
        return note(label, message, producer.send(message, transaction));
    }

    Producer sender() throws Exception {
        return ownProducer();
    }

    private SendReceipt note(String label, Message message, SendReceipt receipt) {
        sent.put(receipt.getMessageId().toString(), new Sent(label, message.getDeliveryTimestamp().orElse(null)));
        return receipt;
    }

    SimpleConsumer simpleConsumer(String topic, String group) throws Exception {
        return simpleConsumer(topic, group, FilterExpression.SUB_ALL);
    }

    SimpleConsumer simpleConsumer(String topic, String group, FilterExpression filter) throws Exception {
        return onClose(provider.newSimpleConsumerBuilder().setClientConfiguration(configuration)
            .setConsumerGroup(name(group)).setAwaitDuration(AWAIT)
            .setSubscriptionExpressions(Map.of(name(topic), filter)).build());
    }

    static FilterExpression sql(String expression) {
        return new FilterExpression(expression, FilterExpressionType.SQL92);
    }

    Recorder pushConsumer(String topic, String group, Handler handler) throws Exception {
        List<Delivery> deliveries = new CopyOnWriteArrayList<>();
        PushConsumer consumer = provider.newPushConsumerBuilder().setClientConfiguration(configuration)
            .setConsumerGroup(name(group)).setSubscriptionExpressions(Map.of(name(topic), FilterExpression.SUB_ALL))
            .setMessageListener(view -> {
                Delivery delivery = Delivery.of(view);
                deliveries.add(delivery);
                try {
                    return handler.handle(delivery.text(), delivery.attempt()) ? ConsumeResult.SUCCESS : ConsumeResult.FAILURE;
                } catch (Exception error) {
                    return ConsumeResult.FAILURE;
                }
            }).build();
        return new Recorder(onClose(consumer), deliveries);
    }

    /** Receives until `count` messages are there. */
    List<Delivery> receive(SimpleConsumer consumer, int count, Duration invisible) throws Exception {
        List<Delivery> deliveries = new ArrayList<>();
        long endsAt = System.currentTimeMillis() + TIMEOUT_MS;
        while (deliveries.size() < count) {
            if (System.currentTimeMillis() > endsAt) {
                throw new IllegalStateException(deliveries.size() + " of " + count + " messages came in " + TIMEOUT_MS + " ms");
            }
            deliveries.addAll(receiveOnce(consumer, invisible));
        }
        return deliveries;
    }

    List<Delivery> receiveOnce(SimpleConsumer consumer) throws Exception {
        return receiveOnce(consumer, INVISIBLE);
    }

    /** One long poll. */
    List<Delivery> receiveOnce(SimpleConsumer consumer, Duration invisible) throws Exception {
        return consumer.receive(16, invisible).stream().map(Delivery::of).toList();
    }

    List<Delivery> receiveAndAck(SimpleConsumer consumer, int count) throws Exception {
        List<Delivery> deliveries = receive(consumer, count, INVISIBLE);
        for (Delivery delivery : deliveries) {
            consumer.ack(delivery.view());
        }
        return deliveries;
    }

    /** Receives and acks until nothing has come for some time. A poll may end at once when all it found was filtered out. */
    List<Delivery> drain(SimpleConsumer consumer) throws Exception {
        List<Delivery> deliveries = new ArrayList<>();
        for (long quietSince = System.currentTimeMillis(); System.currentTimeMillis() - quietSince < QUIET_MS;) {
            List<Delivery> received = receiveOnce(consumer);
            for (Delivery delivery : received) {
                consumer.ack(delivery.view());
            }
            if (!received.isEmpty()) {
                quietSince = System.currentTimeMillis();
            } else {
                sleep(POLL_MS);
            }
            deliveries.addAll(received);
        }
        return deliveries;
    }

    void until(String what, BooleanSupplier condition) throws InterruptedException {
        long endsAt = System.currentTimeMillis() + TIMEOUT_MS;
        while (!condition.getAsBoolean()) {
            if (System.currentTimeMillis() > endsAt) {
                throw new IllegalStateException(TIMEOUT_MS + " ms passed, waiting for " + what);
            }
            sleep(POLL_MS);
        }
    }

    /** Tries again what needs a topic that is made by the server. */
    <T> T retry(Callable<T> call) throws Exception {
        for (long endsAt = System.currentTimeMillis() + TIMEOUT_MS;;) {
            try {
                return call.call();
            } catch (Exception error) {
                if (System.currentTimeMillis() > endsAt) {
                    throw error;
                }
                sleep(500);
            }
        }
    }

    static void sleep(long ms) throws InterruptedException {
        Thread.sleep(ms);
    }

    /** In the order of their arrival. */
    List<Map<String, Object>> inOrder(List<Delivery> deliveries) {
        return deliveries.stream().map(this::describe).toList();
    }

    /** For topics of several queues, which promise no order. */
    List<Map<String, Object>> inAnyOrder(List<Delivery> deliveries) {
        Comparator<Map<String, Object>> byLabel = Comparator.comparing(one -> (String) one.get("message"));
        return inOrder(deliveries).stream().sorted(byLabel.thenComparing(one -> (Integer) one.get("attempt"))).toList();
    }

    /** What may be compared of a delivery. */
    Map<String, Object> describe(Delivery delivery) {
        MessageView view = delivery.view();
        Optional<Sent> known = Optional.ofNullable(sent.get(view.getMessageId().toString()));
        Optional<Long> deliverAt = known.map(Sent::deliverAtMs);
        Map<String, String> properties = new TreeMap<>();
        view.getProperties().forEach((key, value) ->
            properties.put(key, sent.containsKey(value) ? "id of " + sent.get(value).label() : value));
        byte[] body = bytesOf(view);
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("message", known.map(Sent::label).orElse("unknown id"));
        facts.put("topic", view.getTopic().replace(prefix, ""));
        facts.put("body", hashOf(body));
        facts.put("bytes", body.length);
        facts.put("tag", view.getTag().orElse(null));
        facts.put("keys", List.copyOf(view.getKeys()));
        facts.put("properties", properties);
        facts.put("group", view.getMessageGroup().orElse(null));
        facts.put("priority", view.getPriority().orElse(null));
        facts.put("attempt", delivery.attempt());
        facts.put("bornHost", view.getBornHost().equals(hostName()) ? "own" : view.getBornHost());
        facts.put("deliverAt", view.getDeliveryTimestamp()
            .map(at -> at.equals(deliverAt.orElse(null)) ? "as sent" : "another").orElse(null));
        facts.put("early", deliverAt.isPresent() && delivery.atMs() < deliverAt.get() - 1000);
        return facts;
    }

    static String textOf(MessageView view) {
        return new String(bytesOf(view), StandardCharsets.UTF_8);
    }

    private static byte[] bytesOf(MessageView view) {
        ByteBuffer buffer = view.getBody();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
    }

    private static String hashOf(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes)).substring(0, 16);
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    private static String hostName() {
        try {
            return InetAddress.getLocalHost().getHostName();
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    private <T extends Closeable> T onClose(T client) {
        synchronized (closers) {
            closers.push(client);
        }
        return client;
    }

    void close() {
        for (;;) {
            Closeable next;
            synchronized (closers) {
                next = closers.poll();
            }
            if (next == null) {
                return;
            }
            try {
                next.close();
            } catch (Exception error) {
                // Closed by the step already.
            }
        }
    }
}
