// Ordered consumer groups.
package interop;

import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.apis.consumer.SimpleConsumer;

final class Ordering {
    static final Map<String, Program.Step> STEPS = Map.of(
        "order", Ordering::order,
        "order-leases", Ordering::leases,
        "order-retries", Ordering::retries);

    private Ordering() {
    }

    private static void order(World world) throws Exception {
        List<String> groups = List.of("red", "green", "blue");
        for (int number = 0; number < 5; number++) {
            for (String group : groups) {
                String label = group + " " + number;
                world.send(label, world.message("order", label).setMessageGroup(group).build());
            }
        }
        var recorder = world.pushConsumer("order", "order", (text, attempt) -> !(text.equals("green 2") && attempt == 1));
        world.until("all messages and one retry", () -> recorder.deliveries().size() >= 16);
        World.sleep(3000);
        for (String group : groups) {
            var ofGroup = recorder.deliveries().stream()
                .filter(delivery -> delivery.view().getMessageGroup().orElse("").equals(group)).toList();
            world.emit("consumed of " + group, "messages", world.inOrder(ofGroup));
        }
    }

    private static void leases(World world) throws Exception {
        for (int number = 1; number <= 5; number++) {
            String label = "m" + number;
            world.send(label, world.message("order-leases", label).setMessageGroup("g").setTag("t" + number).build());
        }
        SimpleConsumer consumer = world.simpleConsumer("order-leases", "order-leases");
        List<World.Delivery> first = world.receive(consumer, 5, World.INVISIBLE);
        world.emit("received", "messages", world.inOrder(first));
        world.codeOfAction("ack the first", () -> consumer.ack(first.get(0).view()));
        world.codeOfAction("ack the third", () -> consumer.ack(first.get(2).view()));
        world.emit("received while it is held", "messages", world.inOrder(world.receiveOnce(consumer)));
        List<World.Delivery> again = world.receive(consumer, 4, World.INVISIBLE);
        world.emit("received after the lease", "messages", world.inOrder(again));
        for (World.Delivery delivery : again) {
            consumer.ack(delivery.view());
        }
        world.send("m6", world.message("order-leases", "m6").setMessageGroup("g").build());
        world.emit("received at last", "messages", world.inOrder(world.receiveAndAck(consumer, 1)));
    }

    private static void retries(World world) throws Exception {
        var recorder = world.pushConsumer("order-retries", "order-retries", (text, attempt) -> !text.equals("poison"));
        for (String label : List.of("before", "poison", "behind")) {
            world.send(label, world.message("order-retries", label).setMessageGroup("g").setTag("t").setKeys("k")
                .addProperty("p", "v").build());
        }
        world.until("the message behind the poison", () -> recorder.deliveries().size() >= 4);
        SimpleConsumer dead = world.retry(() -> world.simpleConsumer("%DLQ%order-retries", "order-retries-dead"));
        List<World.Delivery> letters = world.receiveAndAck(dead, 1);
        world.emit("consumed", "messages", world.inOrder(recorder.deliveries()));
        world.emit("dead letters", "messages", world.inOrder(letters));
    }
}
