// What a broker takes and rejects, and what comes of delays, recalls and priorities.
package interop;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.rocketmq.client.apis.consumer.SimpleConsumer;
import org.apache.rocketmq.client.apis.message.Message;
import org.apache.rocketmq.client.apis.producer.Producer;
import org.apache.rocketmq.client.apis.producer.SendReceipt;

final class Sending {
    static final Map<String, Program.Step> STEPS = Map.of(
        "send", Sending::send,
        "large", Sending::large,
        "delay", Sending::delay,
        "recall", Sending::recall,
        "priority", Sending::priority);

    private static final long HOUR_MS = 3_600_000;
    private static final int MAX_BODY_BYTES = 4 * 1024 * 1024;

    private Sending() {
    }

    private static void send(World world) {
        long inAnHour = System.currentTimeMillis() + HOUR_MS;
        Map<String, Message> taken = new LinkedHashMap<>();
        taken.put("normal", world.message("send-normal", "normal").setTag("a").setKeys("k1", "k2").addProperty("p", "v").build());
        taken.put("fifo", world.message("send-fifo", "fifo").setMessageGroup("g").build());
        taken.put("delay", world.message("send-delay", "delay").setDeliveryTimestamp(inAnHour).build());
        taken.forEach((label, message) -> {
            SendReceipt receipt = world.code("a " + label + " message", () -> world.send(label, message));
            world.emit("the receipt of a " + label + " message", "recallHandle", hasHandle(receipt));
        });
        Map<String, Callable<Message>> rejected = new LinkedHashMap<>();
        rejected.put("an unknown topic", () -> world.message("nowhere", "x").build());
        rejected.put("a normal message to an ordered topic", () -> world.message("send-fifo", "x").build());
        rejected.put("an ordered message to a normal topic", () -> world.message("send-normal", "x").setMessageGroup("g").build());
        rejected.put("a delayed message to a normal topic",
            () -> world.message("send-normal", "x").setDeliveryTimestamp(inAnHour).build());
        rejected.put("a delay of 25 hours",
            () -> world.message("send-delay", "x").setDeliveryTimestamp(System.currentTimeMillis() + 25 * HOUR_MS).build());
        rejected.put("a reserved property", () -> world.message("send-normal", "x").addProperty("KEYS", "v").build());
        rejected.put("properties of 17 KB", () -> world.message("send-normal", "x").addProperty("p", "v".repeat(17_000)).build());
        rejected.put("a group of 64 bytes", () -> world.message("send-fifo", "x").setMessageGroup("g".repeat(64)).build());
        rejected.put("a tag with a control character", () -> world.message("send-normal", "x").setTag("a\u0001").build());
        rejected.put("a key with a control character", () -> world.message("send-normal", "x").setKeys("k\u0001").build());
        rejected.put("a body over the limit", () -> world.message("send-normal", new byte[MAX_BODY_BYTES + 1]).build());
        rejected.forEach((what, message) -> world.code(what, () -> world.send(what, message.call())));
    }

    private static void large(World world) throws Exception {
        byte[] body = new byte[MAX_BODY_BYTES];
        java.util.Arrays.fill(body, (byte) 'x');
        world.code("a body of the limit", () -> world.send("large", world.message("large", body).build()));
        SimpleConsumer consumer = world.simpleConsumer("large", "large");
        world.emit("received", "messages", world.inOrder(world.receiveAndAck(consumer, 1)));
    }

    private static void delay(World world) throws Exception {
        SimpleConsumer consumer = world.simpleConsumer("delay", "delay");
        world.sender();
        long now = System.currentTimeMillis();
        SendReceipt past = world.send("past",
            world.message("delay", "past").setDeliveryTimestamp(now - 5000).setTag("t").setKeys("k").build());
        world.send("late", world.message("delay", "late").setDeliveryTimestamp(now + 14_000).setTag("t").setKeys("k")
            .addProperty("p", "v").build());
        world.send("soon", world.message("delay", "soon").setDeliveryTimestamp(now + 7000).build());
        world.emit("the receipt of a message for the past", "recallHandle", hasHandle(past));
        world.emit("received", "messages", world.inAnyOrder(world.receiveAndAck(consumer, 3)));
    }

    private static void recall(World world) throws Exception {
        String topic = world.name("recall");
        Producer producer = world.sender();
        SimpleConsumer consumer = world.simpleConsumer("recall", "recall");
        long at = System.currentTimeMillis() + 30_000;
        SendReceipt recalled = world.send("recalled", world.message("recall", "recalled").setDeliveryTimestamp(at).build());
        world.send("kept", world.message("recall", "kept").setDeliveryTimestamp(at).build());
        String handle = recalled.getRecallHandle();
        var receipt = world.code("recall", () -> producer.recallMessage(topic, handle));
        world.emit("the receipt of a recall",
            "isOfTheMessage", receipt != null && receipt.getMessageId().toString().equals(recalled.getMessageId().toString()));
        world.code("recall once more", () -> producer.recallMessage(topic, handle));
        world.code("recall by a handle of nonsense", () -> producer.recallMessage(topic, "nonsense"));
        world.emit("received", "messages", world.inOrder(world.receiveAndAck(consumer, 1)));
        world.emit("received later", "messages", world.inOrder(world.receiveOnce(consumer)));
        world.code("recall what was due", () -> producer.recallMessage(topic, handle));
    }

    private static void priority(World world) throws Exception {
        for (int priority : List.of(0, 3, 7, 5)) {
            String label = "priority " + priority;
            world.send(label, world.message("priority", label).setPriority(priority).build());
        }
        SimpleConsumer consumer = world.simpleConsumer("priority", "priority");
        world.emit("received", "messages", world.inOrder(world.receiveAndAck(consumer, 4)));
    }

    private static boolean hasHandle(SendReceipt receipt) {
        return receipt != null && receipt.getRecallHandle() != null && !receipt.getRecallHandle().isEmpty();
    }
}
