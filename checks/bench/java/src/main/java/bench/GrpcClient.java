// rocketmq-client-java, by a proxy.
package bench;

import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import org.apache.rocketmq.client.apis.ClientConfiguration;
import org.apache.rocketmq.client.apis.ClientServiceProvider;
import org.apache.rocketmq.client.apis.consumer.ConsumeResult;
import org.apache.rocketmq.client.apis.consumer.FilterExpression;
import org.apache.rocketmq.client.apis.message.Message;

final class GrpcClient implements Client {
    private final ClientServiceProvider provider = ClientServiceProvider.loadService();
    private final ClientConfiguration configuration;
    private final Map<String, String> task;

    GrpcClient(Map<String, String> task) {
        this.task = task;
        configuration = ClientConfiguration.newBuilder().setEndpoints(task.get("endpoints")).enableSsl(false).build();
    }

    @Override
    public Producer producer() throws Exception {
        var producer =
            provider.newProducerBuilder().setClientConfiguration(configuration).setTopics(task.get("topic")).build();
        return new Producer() {
            @Override
            public void send(byte[] body) throws Exception {
                producer.send(message(body));
            }

            @Override
            public CompletionStage<?> sendAsync(byte[] body) {
                return producer.sendAsync(message(body));
            }
        };
    }

    private Message message(byte[] body) {
        return provider.newMessageBuilder().setTopic(task.get("topic")).setBody(body).build();
    }

    @Override
    public void consumer(Consumer<ByteBuffer> handle) throws Exception {
        provider.newPushConsumerBuilder().setClientConfiguration(configuration).setConsumerGroup(task.get("group"))
            .setSubscriptionExpressions(Map.of(task.get("topic"), FilterExpression.SUB_ALL))
            .setMessageListener(view -> {
                handle.accept(view.getBody());
                return ConsumeResult.SUCCESS;
            }).build();
    }
}
