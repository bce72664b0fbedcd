// An official Java client, with its defaults: one workload, one line of JSON. The task comes as arguments name=value.
package bench;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;

public final class Bench {
    /** Long enough for assignments, heartbeats and settings to have been exchanged. */
    private static final int SETTLE_MS = 5_000;

    private final Map<String, String> task;
    private final Client client;

    private Bench(Map<String, String> task) {
        this.task = task;
        client = task.containsKey("nameServer") ? new RemotingClient(task) : new GrpcClient(task);
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> task = Arrays.stream(arguments).map(text -> text.split("=", 2))
            .collect(Collectors.toMap(pair -> pair[0], pair -> pair[1]));
        endWithParent();
        System.out.println(new Bench(task).run());
        // Without a goodbye: how long a client takes for its own is not what is measured.
        Runtime.getRuntime().halt(0);
    }

    /** Nothing is written to the input: it ends when the process is gone that started this one. */
    private static void endWithParent() {
        Thread watch = new Thread(() -> {
            try {
                System.in.read();
            } catch (java.io.IOException error) {
                // As good as an end.
            }
            Runtime.getRuntime().halt(1);
        });
        watch.setDaemon(true);
        watch.start();
    }

    private String run() throws Exception {
        return switch (task.get("workload")) {
            case "send" -> number("inFlight") == 1 ? sendOneAtATime() : send();
            case "drain" -> drain();
            case "latency" -> latency();
            case "idle" -> idle();
            default -> throw new IllegalArgumentException(task.get("workload"));
        };
    }

    private int number(String name) {
        return Integer.parseInt(task.get(name));
    }

    private String send() throws Exception {
        Client.Producer producer = client.producer();
        byte[] body = new byte[number("bodyBytes")];
        int count = number("count");
        sendAsync(producer, body, number("warmUp"), new Meter(0));
        Meter meter = new Meter(count);
        sendAsync(producer, body, count, meter);
        return meter.figures(count);
    }

    private void sendAsync(Client.Producer producer, byte[] body, int count, Meter meter) throws Exception {
        int inFlight = number("inFlight");
        Semaphore free = new Semaphore(inFlight);
        AtomicReference<Throwable> failure = new AtomicReference<>();
        for (int index = 0; index < count; index++) {
            free.acquire();
            long began = System.nanoTime();
            producer.sendAsync(body).whenComplete((receipt, error) -> {
                if (error != null) {
                    failure.set(error);
                }
                meter.latency(System.nanoTime() - began);
                free.release();
            });
        }
        free.acquire(inFlight);
        if (failure.get() != null) {
            throw new IllegalStateException(failure.get());
        }
    }

    private String sendOneAtATime() throws Exception {
        Client.Producer producer = client.producer();
        byte[] body = new byte[number("bodyBytes")];
        for (int index = 0; index < number("warmUp"); index++) {
            producer.send(body);
        }
        int count = number("count");
        Meter meter = new Meter(count);
        for (int index = 0; index < count; index++) {
            long began = System.nanoTime();
            producer.send(body);
            meter.latency(System.nanoTime() - began);
        }
        return meter.figures(count);
    }

    /** From the first message after the warm-up to the last that counts. */
    private String drain() throws Exception {
        int warmUp = number("warmUp");
        int count = number("count");
        AtomicInteger handled = new AtomicInteger();
        AtomicReference<Meter> meter = new AtomicReference<>();
        CompletableFuture<String> done = new CompletableFuture<>();
        client.consumer(body -> {
            int number = handled.incrementAndGet();
            if (number == warmUp) {
                meter.set(new Meter(0));
            } else if (number == warmUp + count) {
                try {
                    done.complete(meter.get().figures(count));
                } catch (Exception error) {
                    done.completeExceptionally(error);
                }
            }
        });
        return done.get();
    }

    /** How long after the begin of its send a message is handled, at a fixed rate. */
    private String latency() throws Exception {
        int count = number("seconds") * number("perSecond");
        AtomicReference<Meter> meter = new AtomicReference<>();
        client.consumer(body -> {
            ByteBuffer bytes = body.duplicate();
            long began = bytes.getLong();
            if (bytes.get() == 1) {
                meter.get().latency(System.nanoTime() - began);
            }
        });
        Client.Producer producer = client.producer();
        sendAtRate(producer, number("warmUpSeconds") * number("perSecond"), (byte) 0);
        meter.set(new Meter(count));
        sendAtRate(producer, count, (byte) 1);
        long endsAt = System.currentTimeMillis() + SETTLE_MS;
        while (meter.get().recorded() < count && System.currentTimeMillis() < endsAt) {
            Thread.sleep(10);
        }
        if (meter.get().recorded() < count) {
            throw new IllegalStateException(meter.get().recorded() + " of " + count + " messages came");
        }
        return meter.get().figures(count);
    }

    private void sendAtRate(Client.Producer producer, int count, byte mark) throws Exception {
        long began = System.nanoTime();
        long everyNanos = 1_000_000_000L / number("perSecond");
        for (int index = 0; index < count; index++) {
            long wait = began + index * everyNanos - System.nanoTime();
            if (wait > 0) {
                Thread.sleep(wait / 1_000_000, (int) (wait % 1_000_000));
            }
            byte[] body = new byte[number("bodyBytes")];
            ByteBuffer.wrap(body).putLong(System.nanoTime()).put(mark);
            producer.sendAsync(body);
        }
    }

    /** A consumer that nothing comes to. */
    private String idle() throws Exception {
        client.consumer(body -> { });
        Thread.sleep(SETTLE_MS);
        Meter meter = new Meter(0);
        Thread.sleep(number("seconds") * 1000L);
        return meter.figures(1);
    }
}
