// What a step works with: clients that are shut down after it, and lines that say what it saw without ids, times or hosts.
package interop;

import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BooleanSupplier;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.RPCHook;

final class World {
    private static final int REQUEST_TIMEOUT_MS = 10_000;
    private static final int ROUTES_EVERY_MS = 1_000;
    private static final long TIMEOUT_MS = 90_000;
    private static final long QUIET_MS = 3_000;
    private static final long POLL_MS = 20;
    private static final int SHOWN_BYTES = 40;
    /** What a sender may add or leave out as it likes, by release. */
    private static final List<String> OWN_PROPERTIES = List.of("TRACE_ON", "CLUSTER", "INSTANCE_ID", "CONSUME_START_TIME");

    /** Says whether a message was handled; the delay level of its retry is the first. */
    interface Handler {
        boolean handle(MessageExt message);
    }

    interface Action {
        void run() throws Exception;
    }

    private final String nameServer;
    private final String prefix;
    private final String step;
    private final Deque<Action> closers = new ArrayDeque<>();

    World(String nameServer, String prefix, String step) {
        this.nameServer = nameServer;
        this.prefix = prefix;
        this.step = step;
    }

    /** The name of a topic or group by its purpose. */
    String name(String purpose) {
        return prefix + "remoting-" + purpose;
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

    /** Prints the status of a send, or the code by which it was rejected. */
    SendResult send(String what, Callable<SendResult> call) {
        try {
            SendResult result = call.call();
            emit(what, "status", result.getSendStatus().toString());
            return result;
        } catch (Exception error) {
            emit(what, "rejected", codeOf(error));
            return null;
        }
    }

    static Object codeOf(Throwable error) {
        if (error instanceof MQBrokerException) {
            return ((MQBrokerException) error).getResponseCode();
        }
        if (error.getCause() instanceof MQBrokerException || error.getCause() instanceof MQClientException) {
            return codeOf(error.getCause());
        }
        return error instanceof MQClientException ? ((MQClientException) error).getResponseCode() : error.getClass().getSimpleName();
    }

    DefaultMQProducer producer() throws Exception {
        return producer(false);
    }

    DefaultMQProducer producer(boolean usesTls) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(name(step + "-producers"));
        producer.setUseTLS(usesTls);
        return started(producer);
    }

    /** @param user without it, requests are not signed */
    DefaultMQProducer producer(RPCHook user) throws Exception {
        return started(new DefaultMQProducer(name(step + "-producers"), user));
    }

    /** The users that a broker with users has. */
    RPCHook user(String name, String secret) {
        return new AclClientRPCHook(new SessionCredentials(prefix + name, secret));
    }

    /** @param producer not started */
    <T extends DefaultMQProducer> T started(T producer) throws Exception {
        producer.setNamesrvAddr(nameServer);
        producer.setInstanceName(UUID.randomUUID().toString());
        producer.setSendMsgTimeout(REQUEST_TIMEOUT_MS);
        producer.setMqClientApiTimeout(REQUEST_TIMEOUT_MS);
        producer.setPollNameServerInterval(ROUTES_EVERY_MS);
        producer.start();
        onClose(producer::shutdown);
        return producer;
    }

    Message message(String topic, String body, String tag) {
        return new Message(name(topic), tag, "", body.getBytes(StandardCharsets.UTF_8));
    }

    /** From the first message on, one at a time; neither started nor with a listener. */
    DefaultMQPushConsumer consumer(String topic, String group, MessageSelector selector) throws Exception {
        return consumer(topic, group, selector, null);
    }

    DefaultMQPushConsumer consumer(String topic, String group, MessageSelector selector, RPCHook user) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(name(group), user, new AllocateMessageQueueAveragely());
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName(UUID.randomUUID().toString());
        consumer.setMqClientApiTimeout(REQUEST_TIMEOUT_MS);
        consumer.setPollNameServerInterval(ROUTES_EVERY_MS);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, selector);
        onClose(consumer::shutdown);
        return consumer;
    }

    /** The type of the setting is in another package in 4.9.8. */
    static void broadcasts(DefaultMQPushConsumer consumer) throws Exception {
        Class<?> type = consumer.getMessageModel().getClass();
        DefaultMQPushConsumer.class.getMethod("setMessageModel", type).invoke(consumer, type.getField("BROADCASTING").get(null));
    }

    /** Its consumers pop, with a second before a retry. By reflection: this also compiles with 4.9.8, which has none of it. */
    void popMode(DefaultMQProducer known, DefaultMQPushConsumer consumer, String topic) throws Exception {
        var api = known.getDefaultMQProducerImpl().getMqClientFactory().getMQClientAPIImpl();
        String broker = api.getTopicRouteInfoFromNameServer(topic, REQUEST_TIMEOUT_MS).getBrokerDatas().get(0).selectBrokerAddr();
        for (Method method : api.getClass().getMethods()) {
            if (!method.getName().equals("setMessageRequestMode")) continue;
            Object pop = method.getParameterTypes()[3].getField("POP").get(null);
            method.invoke(api, broker, topic, consumer.getConsumerGroup(), pop, 0, (long) REQUEST_TIMEOUT_MS);
        }
        consumer.getClass().getMethod("setClientRebalance", boolean.class).invoke(consumer, false);
        Object internal = consumer.getDefaultMQPushConsumerImpl();
        Method levels = internal.getClass().getDeclaredMethod("getPopDelayLevel");
        levels.setAccessible(true);
        Arrays.fill((int[]) levels.invoke(internal), 1);
    }

    /** Moves a group to the beginning of a topic, as a tool does. */
    void reset(DefaultMQProducer known, String topic, String group) throws Exception {
        var api = known.getDefaultMQProducerImpl().getMqClientFactory().getMQClientAPIImpl();
        String broker = api.getTopicRouteInfoFromNameServer(topic, REQUEST_TIMEOUT_MS).getBrokerDatas().get(0).selectBrokerAddr();
        api.invokeBrokerToResetOffset(broker, topic, group, 0, true, REQUEST_TIMEOUT_MS);
    }

    /** @return what its consumer was given, while it comes */
    List<MessageExt> consume(DefaultMQPushConsumer consumer, Handler handler) throws Exception {
        List<MessageExt> seen = new CopyOnWriteArrayList<>();
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            boolean isHandled = true;
            for (MessageExt message : messages) {
                seen.add(message);
                isHandled &= handler.handle(message);
            }
            context.setDelayLevelWhenNextConsume(1);
            return isHandled ? ConsumeConcurrentlyStatus.CONSUME_SUCCESS : ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        consumer.start();
        return seen;
    }

    List<MessageExt> consume(String topic, String group, MessageSelector selector) throws Exception {
        return consume(consumer(name(topic), group, selector), message -> true);
    }

    /** Prints the messages when so many are there, and no other has come for some time. They are sorted: queues promise no order. */
    void emitAll(String what, List<MessageExt> seen, int count) throws Exception {
        until(count + " messages of " + what, () -> seen.size() >= count);
        Thread.sleep(QUIET_MS);
        Comparator<Map<String, Object>> byBody = Comparator.comparing(one -> (String) one.get("body"));
        Comparator<Map<String, Object>> byAttempt = Comparator.comparing(one -> (Integer) one.get("retries"));
        emit(what, "messages", seen.stream().map(this::describe).sorted(byBody.thenComparing(byAttempt)).toList());
    }

    /** Prints what a request was answered with. */
    void emitAnswer(String what, Message answer) {
        emit(what, "message", describe((MessageExt) answer));
    }

    private Map<String, Object> describe(MessageExt message) {
        Map<String, String> properties = new TreeMap<>();
        message.getProperties().forEach((key, value) -> {
            if (!OWN_PROPERTIES.contains(key)) {
                properties.put(key, key.startsWith("own-") ? value : "");
            }
        });
        String body = textOf(message);
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("body", body.substring(0, Math.min(body.length(), SHOWN_BYTES)));
        facts.put("bytes", body.length());
        facts.put("topic", message.getTopic().replace(prefix, ""));
        facts.put("tag", message.getTags());
        facts.put("keys", message.getKeys());
        facts.put("properties", properties);
        facts.put("retries", message.getReconsumeTimes());
        facts.put("sysFlag", message.getSysFlag());
        return facts;
    }

    /** Waits for it. */
    static boolean inputHasEnded() {
        try {
            while (System.in.read() >= 0) {
                // Nothing is said there.
            }
        } catch (IOException error) {
            // It has ended, too.
        }
        return true;
    }

    static String textOf(MessageExt message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    void until(String what, BooleanSupplier condition) throws InterruptedException {
        for (long endsAt = System.currentTimeMillis() + TIMEOUT_MS; !condition.getAsBoolean(); Thread.sleep(POLL_MS)) {
            if (System.currentTimeMillis() > endsAt) {
                throw new IllegalStateException(TIMEOUT_MS + " ms passed, waiting for " + what);
            }
        }
    }

    private void onClose(Action closer) {
        synchronized (closers) {
            closers.push(closer);
        }
    }

    void close() {
        for (Action closer : closers) {
            try {
                closer.run();
            } catch (Exception error) {
                // Shut down by the step already.
            }
        }
    }
}
