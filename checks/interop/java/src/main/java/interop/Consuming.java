// Ordinary consumer groups: simple and push consumers, leases, filters, retries, dead letters, an orderly end.
package interop;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.rocketmq.client.apis.consumer.FilterExpression;
import org.apache.rocketmq.client.apis.consumer.SimpleConsumer;
import org.apache.rocketmq.client.apis.message.MessageBuilder;

final class Consuming {
    static final Map<String, Program.Step> STEPS = Map.of(
        "simple", Consuming::simple,
        "leases", Consuming::leases,
        "tags", Consuming::tags,
        "sql", Consuming::sql,
        "push", Consuming::push,
        "long-handler", Consuming::longHandler,
        "retries", Consuming::retries,
        "shutdown", Consuming::shutdown);

    /** Longer than the 60 s that the server hides a message for, and than its first renewal. */
    private static final long LONG_HANDLER_MS = 75_000;
    private static final Duration HOURS_13 = Duration.ofHours(13);

    private Consuming() {
    }

    private static MessageBuilder withAll(MessageBuilder message) {
        return message.setTag("tag-a").setKeys("k1", "k2").addProperty("region", "EU")
            .addProperty("\u00dcnicode", "gr\u00fcn \ud83d\udc07");
    }

    private static void simple(World world) throws Exception {
        world.send("plain", world.message("simple", "plain").build());
        world.send("full", withAll(world.message("simple", "full")).build());
        world.send("binary", world.message("simple", new byte[] {0, -1, -128, 1}).build());
        SimpleConsumer consumer = world.simpleConsumer("simple", "simple");
        List<World.Delivery> deliveries = world.receive(consumer, 3, World.INVISIBLE);
        world.emit("received", "messages", world.inOrder(deliveries));
        for (int index = 0; index < deliveries.size(); index++) {
            World.Delivery delivery = deliveries.get(index);
            world.codeOfAction("ack " + (index + 1), () -> consumer.ack(delivery.view()));
        }
        world.codeOfAction("ack once more", () -> consumer.ack(deliveries.get(0).view()));
        world.emit("received later", "messages", world.inOrder(world.receiveOnce(consumer)));
    }

    private static void leases(World world) throws Exception {
        world.send("leased", withAll(world.message("leases", "leased")).build());
        SimpleConsumer consumer = world.simpleConsumer("leases", "leases");
        world.codeOfAction("receive for 9 s", () -> consumer.receive(16, Duration.ofSeconds(9)));
        world.codeOfAction("receive for 13 h", () -> consumer.receive(16, HOURS_13));
        var first = world.receive(consumer, 1, World.INVISIBLE).get(0);
        world.codeOfAction("change to 1 s", () -> consumer.changeInvisibleDuration(first.view(), Duration.ofSeconds(1)));
        var second = world.receive(consumer, 1, Duration.ofSeconds(10)).get(0);
        World.sleep(12_000);
        world.codeOfAction("ack after the lease", () -> consumer.ack(second.view()));
        world.codeOfAction("change after the lease",
            () -> consumer.changeInvisibleDuration(second.view(), Duration.ofSeconds(10)));
        var third = world.receive(consumer, 1, World.INVISIBLE).get(0);
        world.codeOfAction("renew", () -> consumer.changeInvisibleDuration(third.view(), Duration.ofSeconds(40)));
        world.codeOfAction("ack what was renewed", () -> consumer.ack(third.view()));
        world.emit("received", "messages", world.inOrder(List.of(first, second, third)));
        world.emit("received later", "messages", world.inOrder(world.receiveOnce(consumer)));
    }

    private static void tags(World world) throws Exception {
        for (String tag : List.of("a", "b", "c")) {
            world.send("tag " + tag, world.message("tags", "tag " + tag).setTag(tag).build());
        }
        world.send("no tag", world.message("tags", "no tag").build());
        SimpleConsumer some = world.simpleConsumer("tags", "tags-some", new FilterExpression("a || b"));
        SimpleConsumer all = world.simpleConsumer("tags", "tags-all");
        world.emit("a || b", "messages", world.inAnyOrder(world.receiveAndAck(some, 2)));
        world.emit("*", "messages", world.inAnyOrder(world.receiveAndAck(all, 4)));
        world.emit("a || b, later", "messages", world.inAnyOrder(world.receiveOnce(some)));
    }

    private static void sql(World world) throws Exception {
        Map<String, MessageBuilder> sent = new LinkedHashMap<>();
        sent.put("eu-20", world.message("sql", "eu-20").setTag("a").addProperty("region", "EU").addProperty("amount", "20"));
        sent.put("us-7.5", world.message("sql", "us-7.5").setTag("b").addProperty("region", "US").addProperty("amount", "7.5"));
        sent.put("asia-5", world.message("sql", "asia-5").setTag("c").addProperty("region", "Asia's").addProperty("amount", "5")
            .addProperty("note", "x"));
        sent.put("bare", world.message("sql", "bare"));
        sent.put("words", world.message("sql", "words").setTag("b").addProperty("region", "EU-west").addProperty("amount", "many"));
        for (var one : sent.entrySet()) {
            world.send(one.getKey(), one.getValue().build());
        }
        List<String> expressions = List.of(
            "region = 'EU' AND amount > 10",
            "TAGS = 'b' OR note IS NOT NULL",
            "amount BETWEEN 5 AND 7.5",
            "region IN ('US', 'Asia''s') AND NOT (amount >= 6)",
            "region STARTSWITH 'EU' AND region <> 'EU'",
            "region IS NULL",
            "region CONTAINS 'sia' or region ENDSWITH 'west'");
        ExecutorService threads = Executors.newFixedThreadPool(expressions.size());
        try {
            List<CompletableFuture<List<World.Delivery>>> drained = new ArrayList<>();
            for (int index = 0; index < expressions.size(); index++) {
                String group = "sql-" + (index + 1);
                FilterExpression filter = World.sql(expressions.get(index));
                drained.add(CompletableFuture.supplyAsync(() -> drain(world, group, filter), threads));
            }
            for (int index = 0; index < expressions.size(); index++) {
                world.emit(expressions.get(index), "messages", world.inAnyOrder(drained.get(index).join()));
            }
        } finally {
            threads.shutdown();
        }
        SimpleConsumer wrong = world.simpleConsumer("sql", "sql-1", World.sql("region = = 3"));
        world.codeOfAction("an expression that is none", () -> wrong.receive(16, World.INVISIBLE));
    }

    private static List<World.Delivery> drain(World world, String group, FilterExpression filter) {
        try {
            return world.drain(world.simpleConsumer("sql", group, filter));
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    private static void push(World world) throws Exception {
        int count = 12;
        var recorder = world.pushConsumer("push", "push", (text, attempt) -> !(text.equals("push 03") && attempt == 1));
        for (int number = 0; number < count; number++) {
            String label = String.format("push %02d", number);
            world.send(label, world.message("push", label).setTag("t").setKeys(label).addProperty("label", label).build());
        }
        world.until("all messages and one retry", () -> recorder.deliveries().size() >= count + 1);
        World.sleep(5000);
        world.emit("consumed", "messages", world.inAnyOrder(recorder.deliveries()));
    }

    private static void longHandler(World world) throws Exception {
        var recorder = world.pushConsumer("long-handler", "long-handler", (text, attempt) -> {
            World.sleep(LONG_HANDLER_MS);
            return true;
        });
        world.send("slow", world.message("long-handler", "slow").build());
        world.until("the message", () -> !recorder.deliveries().isEmpty());
        World.sleep(LONG_HANDLER_MS + 8000);
        world.emit("consumed", "messages", world.inAnyOrder(recorder.deliveries()));
    }

    private static void retries(World world) throws Exception {
        var recorder = world.pushConsumer("retries", "retries", (text, attempt) -> false);
        world.send("poison", withAll(world.message("retries", "poison")).build());
        world.until("both attempts", () -> recorder.deliveries().size() >= 2);
        SimpleConsumer dead = world.retry(() -> world.simpleConsumer("%DLQ%retries", "retries-dead"));
        List<World.Delivery> letters = world.receiveAndAck(dead, 1);
        World.sleep(3000);
        world.emit("consumed", "messages", world.inOrder(recorder.deliveries()));
        world.emit("dead letters", "messages", world.inOrder(letters));
    }

    private static void shutdown(World world) throws Exception {
        AtomicBoolean handled = new AtomicBoolean();
        var recorder = world.pushConsumer("shutdown", "shutdown", (text, attempt) -> {
            World.sleep(3000);
            handled.set(true);
            return true;
        });
        world.send("in hand", world.message("shutdown", "in hand").build());
        world.until("the message", () -> !recorder.deliveries().isEmpty());
        recorder.consumer().close();
        world.emit("the end of a consumer", "handlerHadEnded", handled.get());
        world.send("after", world.message("shutdown", "after").build());
        SimpleConsumer next = world.simpleConsumer("shutdown", "shutdown");
        List<World.Delivery> messages = new ArrayList<>(world.receiveAndAck(next, 1));
        messages.addAll(world.receiveOnce(next));
        world.emit("left for the next", "messages", world.inOrder(messages));
    }
}
