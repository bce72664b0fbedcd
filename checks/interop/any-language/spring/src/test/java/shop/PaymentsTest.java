package shop;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.time.Duration;
import org.apache.rocketmq.spring.core.RocketMQTemplate;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;

@SpringBootTest
class PaymentsTest {
    private final BrokerControl broker = new BrokerControl();
    @Autowired private Payments payments;
    @Autowired private Shipping shipping;
    @Autowired private RocketMQTemplate template;

    @Test
    void shipsAnOrderThatIsPaid() throws Exception {
        payments.pay("order-1", true);
        assertEquals("order-1", shipping.shipped.poll(10, SECONDS));
    }

    @Test
    void shipsAnOrderWhoseCommitWasLostAfterTheCheck() throws Exception {
        payments.pay("order-2", false);
        // A broker can check with a producer from its first heartbeat on. By itself, the producer sends that after up to 30 s.
        template.getProducer().getDefaultMQProducerImpl().getMqClientFactory().sendHeartbeatToAllBrokerWithLock();
        assertFalse(broker.messages("order-paid").contains("order-2"));
        broker.advance(Duration.ofSeconds(6));
        assertEquals("order-2", shipping.shipped.poll(10, SECONDS));
    }
}
