package shop;

import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.apache.rocketmq.spring.annotation.RocketMQMessageListener;
import org.apache.rocketmq.spring.core.RocketMQListener;
import org.springframework.stereotype.Component;

@Component
@RocketMQMessageListener(topic = "order-paid", consumerGroup = "shipping")
public class Shipping implements RocketMQListener<String> {
    final BlockingQueue<String> shipped = new LinkedBlockingQueue<>();

    @Override
    public void onMessage(String orderId) {
        shipped.add(orderId);
    }
}
