package shop;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.spring.annotation.RocketMQTransactionListener;
import org.apache.rocketmq.spring.core.RocketMQLocalTransactionListener;
import org.apache.rocketmq.spring.core.RocketMQLocalTransactionState;
import org.apache.rocketmq.spring.core.RocketMQTemplate;
import org.springframework.messaging.Message;
import org.springframework.messaging.support.MessageBuilder;
import org.springframework.stereotype.Service;

@Service
public class Payments {
    private final RocketMQTemplate template;

    public Payments(RocketMQTemplate template) {
        this.template = template;
    }

    public void pay(String orderId, boolean isAnswered) {
        Message<String> message = MessageBuilder.withPayload(orderId).setHeader("orderId", orderId).build();
        template.sendMessageInTransaction("order-paid", message, isAnswered);
    }

    @RocketMQTransactionListener
    static class Transactions implements RocketMQLocalTransactionListener {
        /** Stands in for a table of the database. */
        private final Set<Object> paid = ConcurrentHashMap.newKeySet();

        @Override
        public RocketMQLocalTransactionState executeLocalTransaction(Message message, Object isAnswered) {
            paid.add(message.getHeaders().get("orderId"));
            // Without an answer, the broker checks later.
            return (boolean) isAnswered ? RocketMQLocalTransactionState.COMMIT : RocketMQLocalTransactionState.UNKNOWN;
        }

        @Override
        public RocketMQLocalTransactionState checkLocalTransaction(Message message) {
            boolean isPaid = paid.contains(message.getHeaders().get("orderId"));
            return isPaid ? RocketMQLocalTransactionState.COMMIT : RocketMQLocalTransactionState.ROLLBACK;
        }
    }
}
