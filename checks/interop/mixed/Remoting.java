// The official clients of the remoting protocol (rocketmq-client), run from their source. Argument: name server. It takes commands as JSON lines,
// answers each with a line, and prints a line for each message that it handles and each transaction that it is asked about. Ends with its
// input.

import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONArray;
import com.alibaba.fastjson2.JSONObject;
import com.google.common.hash.Hashing;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.impl.factory.MQClientInstance;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageRequestMode;
import org.apache.rocketmq.remoting.exception.RemotingException;
import org.apache.rocketmq.remoting.protocol.ResponseCode;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;
import org.apache.rocketmq.tools.command.CommandUtil;

public final class Remoting {
    private static final String CLUSTER = "DefaultCluster";
    private static final long TIMEOUT_MS = 10_000;
    private static final int HANDLING_MS = 5;
    private static final int ATTEMPTS = 10;

    private final String nameServer;
    private final DefaultMQAdminExt admin = new DefaultMQAdminExt(TIMEOUT_MS);
    private final DefaultMQProducer producer = new DefaultMQProducer("interop-mixed-java");
    private final List<TransactionMQProducer> checkers = new ArrayList<>();
    private final List<DefaultMQPushConsumer> consumers = new ArrayList<>();

    private Remoting(String nameServer) {
        this.nameServer = nameServer;
    }

    public static void main(String[] args) throws Exception {
        Remoting program = new Remoting(args[0]);
        program.start();
        ExecutorService commands = Executors.newFixedThreadPool(8);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            JSONObject command = JSON.parseObject(line);
            commands.execute(() -> program.answer(command));
        }
        commands.shutdown();
        program.close();
        System.exit(0);
    }

    private void start() throws Exception {
        admin.setNamesrvAddr(nameServer);
        admin.start();
        patient(producer).start();
    }

    private void close() {
        consumers.forEach(DefaultMQPushConsumer::shutdown);
        checkers.forEach(TransactionMQProducer::shutdown);
        producer.shutdown();
        admin.shutdown();
    }

    private void answer(JSONObject command) {
        JSONObject answer = JSONObject.of("answers", command.get("id"));
        try {
            answer.put("result", run(command));
        } catch (Exception error) {
            error.printStackTrace();
            answer.put("error", String.valueOf(error));
        }
        print(answer);
    }

    private Object run(JSONObject command) throws Exception {
        String topic = command.getString("topic");
        switch (command.getString("do")) {
            case "send":
                return idOf(send(messageOf(command.getJSONObject("message"))));
            case "sendBatch":
                List<Message> messages = new ArrayList<>();
                for (Object message : command.getJSONArray("messages")) messages.add(messageOf((JSONObject) message));
                return idOf(producer.send(messages));
            case "answerChecks":
                synchronized (checkers) {
                    checkers.add(registered(transactionalProducer(topic), topic));
                }
                return null;
            case "begin":
                return begin(messageOf(command.getJSONObject("message")));
            case "consume":
                consume(topic, command.getString("group"), command.getBooleanValue("ordered"));
                return null;
            default:
                throw new IllegalArgumentException(command.toString());
        }
    }

    private static String idOf(SendResult result) {
        return result.getMsgId();
    }

    private static Message messageOf(JSONObject described) {
        byte[] body = described.getString("body").getBytes(StandardCharsets.UTF_8);
        Message message = new Message(described.getString("topic"), body);
        message.putUserProperty("name", described.getString("name"));
        if (described.containsKey("tag")) message.setTags(described.getString("tag"));
        JSONArray keys = described.getJSONArray("keys");
        if (keys != null) message.setKeys(keys.toList(String.class));
        JSONObject properties = described.getJSONObject("properties");
        if (properties != null) properties.forEach((key, value) -> message.putUserProperty(key, (String) value));
        if (described.containsKey("delayLevel")) message.setDelayTimeLevel(described.getIntValue("delayLevel"));
        if (described.containsKey("deliverAtMs")) message.setDeliverTimeMs(described.getLongValue("deliverAtMs"));
        if (described.containsKey("messageGroup"))
            message.getProperties().put(MessageConst.PROPERTY_SHARDING_KEY, described.getString("messageGroup"));
        return message;
    }

    /** The message of a group goes to the queue that proxies choose. */
    private SendResult send(Message message) throws Exception {
        String group = message.getProperty(MessageConst.PROPERTY_SHARDING_KEY);
        for (int attempt = 1; ; attempt++) {
            try {
                if (group == null) return producer.send(message);
                return producer.send(message, (queues, sent, key) ->
                    queues.get(Hashing.consistentHash(key.hashCode(), queues.size())), group);
            } catch (MQBrokerException error) {
                // The client does not repeat a send to a queue of one's choice. A busy broker has stored nothing.
                if (error.getResponseCode() != ResponseCode.SYSTEM_BUSY || attempt == ATTEMPTS) throw error;
            } catch (IllegalStateException error) {
                // Before a first send the client asks for the route, and does not ask again when it has just closed the connection: nothing was sent.
                if (!(error.getCause() instanceof RemotingException) || attempt == ATTEMPTS) throw error;
            }
        }
    }

    /** Proxies and the client without one name the group like the topic. */
    private TransactionMQProducer transactionalProducer(String topic) throws Exception {
        TransactionMQProducer made = new TransactionMQProducer(topic);
        patient(made);
        made.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                return LocalTransactionState.UNKNOW;
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                String name = message.getProperty("name");
                print(JSONObject.of("checked", name));
                return name.endsWith("commit") ? LocalTransactionState.COMMIT_MESSAGE : LocalTransactionState.ROLLBACK_MESSAGE;
            }
        });
        made.start();
        return made;
    }

    /** A producer that has sent nothing knows no broker yet, and is registered half a minute later. */
    private static TransactionMQProducer registered(TransactionMQProducer producer, String topic) {
        MQClientInstance client = producer.getDefaultMQProducerImpl().getMqClientFactory();
        client.updateTopicRouteInfoFromNameServer(topic);
        client.sendHeartbeatToAllBrokerWithLock();
        return producer;
    }

    private <T extends DefaultMQProducer> T patient(T made) {
        made.setNamesrvAddr(nameServer);
        made.setSendMsgTimeout((int) TIMEOUT_MS);
        made.setMqClientApiTimeout((int) TIMEOUT_MS);
        return made;
    }

    private Object begin(Message half) throws Exception {
        TransactionMQProducer beginner = transactionalProducer(half.getTopic());
        try {
            return idOf(beginner.sendMessageInTransaction(half, null));
        } finally {
            beginner.shutdown();
        }
    }

    /** In POP mode, which the broker assigns; ordered consumers know only pulling, under locks of queues. */
    private void consume(String topic, String group, boolean ordered) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(nameServer);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        if (ordered) {
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                messages.forEach(message -> seen(group, topic, message));
                return ConsumeOrderlyStatus.SUCCESS;
            });
        } else {
            for (String master : CommandUtil.fetchMasterAddrByClusterName(admin, CLUSTER)) {
                admin.setMessageRequestMode(master, topic, group, MessageRequestMode.POP, 0, TIMEOUT_MS);
            }
            consumer.setClientRebalance(false);
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                messages.forEach(message -> seen(group, topic, message));
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
        }
        consumer.start();
        synchronized (consumers) {
            consumers.add(consumer);
        }
    }

    private static void seen(String group, String topic, MessageExt message) {
        try {
            // So that no consumer takes everything.
            Thread.sleep(HANDLING_MS);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
        Map<String, String> properties = new TreeMap<>(message.getProperties());
        properties.keySet().removeAll(MessageConst.STRING_HASH_SET);
        String deliverAtMs = message.getProperty(MessageConst.PROPERTY_TIMER_DELIVER_MS);
        JSONObject seen = new JSONObject();
        seen.put("group", group);
        seen.put("topic", topic);
        seen.put("id", message.getMsgId());
        seen.put("body", Hashing.sha256().hashBytes(message.getBody()).toString());
        seen.put("tag", message.getTags());
        seen.put("keys", message.getKeys() == null ? List.of() : List.of(message.getKeys().split(MessageConst.KEY_SEPARATOR)));
        seen.put("properties", properties);
        seen.put("messageGroup", message.getProperty(MessageConst.PROPERTY_SHARDING_KEY));
        seen.put("attempt", message.getReconsumeTimes() + 1);
        seen.put("bornMs", message.getBornTimestamp());
        seen.put("deliverAtMs", deliverAtMs == null ? null : Long.valueOf(deliverAtMs));
        print(JSONObject.of("seen", seen));
    }

    private static synchronized void print(JSONObject line) {
        System.out.println(line.toString(com.alibaba.fastjson2.JSONWriter.Feature.WriteNulls));
    }
}
