package shop;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class UnpaidOrderTest {
    private static final String NAME_SERVER = System.getProperty("rocketmq.name-server", "127.0.0.1:9876");
    private final BrokerControl broker = new BrokerControl();
    private final BlockingQueue<String> closed = new LinkedBlockingQueue<>();
    private final DefaultMQProducer producer = new DefaultMQProducer("shop");
    private final DefaultMQPushConsumer consumer = new DefaultMQPushConsumer("closing");

    @BeforeEach
    void start() throws Exception {
        producer.setNamesrvAddr(NAME_SERVER);
        producer.start();
        consumer.setNamesrvAddr(NAME_SERVER);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe("unpaid-order", "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            messages.forEach(message -> closed.add(new String(message.getBody(), UTF_8)));
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
    }

    @Test
    void isClosedAfterTwoHours() throws Exception {
        Message message = new Message("unpaid-order", "order-1".getBytes(UTF_8));
        message.setDelayTimeMs(Duration.ofHours(2).toMillis());
        producer.send(message);

        broker.advance(Duration.ofMinutes(119));
        assertFalse(broker.messages("unpaid-order").contains("order-1"));
        broker.advance(Duration.ofMinutes(1));
        assertEquals("order-1", closed.poll(10, SECONDS));
    }

    @AfterEach
    void stop() {
        consumer.shutdown();
        producer.shutdown();
    }
}
