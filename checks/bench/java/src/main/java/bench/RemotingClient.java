// rocketmq-client, by name servers: a consumer that pulls, or one that pops where the task says so.
package bench;

import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageRequestMode;

final class RemotingClient implements Client {
    private static final long TIMEOUT_MS = 10_000;
    /** All queues of the topic, which has as many. */
    private static final int SHARED_QUEUES = 8;

    private final Map<String, String> task;

    RemotingClient(Map<String, String> task) {
        this.task = task;
    }

    @Override
    public Producer producer() throws Exception {
        var producer = new DefaultMQProducer(task.get("group") + "-producer");
        producer.setNamesrvAddr(task.get("nameServer"));
        producer.setSendMsgTimeout((int) TIMEOUT_MS);
        producer.start();
        return new Producer() {
            @Override
            public void send(byte[] body) throws Exception {
                producer.send(new Message(task.get("topic"), body));
            }

            @Override
            public CompletionStage<?> sendAsync(byte[] body) {
                var sent = new CompletableFuture<SendResult>();
                try {
                    producer.send(new Message(task.get("topic"), body), new SendCallback() {
                        @Override
                        public void onSuccess(SendResult result) {
                            sent.complete(result);
                        }

                        @Override
                        public void onException(Throwable error) {
                            sent.completeExceptionally(error);
                        }
                    });
                } catch (Exception error) {
                    sent.completeExceptionally(error);
                }
                return sent;
            }
        };
    }

    @Override
    public void consumer(Consumer<ByteBuffer> handle) throws Exception {
        var consumer = new DefaultMQPushConsumer(task.get("group"));
        consumer.setNamesrvAddr(task.get("nameServer"));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(task.get("topic"), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                handle.accept(ByteBuffer.wrap(message.getBody()));
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        // The client of 4.x does not have these methods.
        if (pops()) {
            consumer.setClientRebalance(false);
            popOn(consumer);
        }
        consumer.start();
    }

    private boolean pops() {
        return Boolean.parseBoolean(task.get("pops"));
    }

    /** How a group consumes is kept by the broker, per topic. */
    private void popOn(DefaultMQPushConsumer consumer) throws Exception {
        var setter = new DefaultMQProducer(task.get("group") + "-mode");
        setter.setNamesrvAddr(task.get("nameServer"));
        setter.start();
        var factory = setter.getDefaultMQProducerImpl().getMqClientFactory();
        var route = factory.getMQClientAPIImpl().getTopicRouteInfoFromNameServer(task.get("topic"), TIMEOUT_MS);
        for (var broker : route.getBrokerDatas()) {
            factory.getMQClientAPIImpl().setMessageRequestMode(broker.selectBrokerAddr(), task.get("topic"),
                consumer.getConsumerGroup(), MessageRequestMode.POP, SHARED_QUEUES, TIMEOUT_MS);
        }
        setter.shutdown();
    }
}
