// What a workload needs of a client.
package bench;

import java.nio.ByteBuffer;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;

interface Client {
    /** A producer of the task's topic. */
    interface Producer {
        void send(byte[] body) throws Exception;

        CompletionStage<?> sendAsync(byte[] body);
    }

    Producer producer() throws Exception;

    /** Starts a push consumer of the task's topic. */
    void consumer(Consumer<ByteBuffer> handle) throws Exception;
}
