// Half messages: ended by their producer, or by the answer to a check.
package interop;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.IntFunction;
import org.apache.rocketmq.client.apis.consumer.SimpleConsumer;
import org.apache.rocketmq.client.apis.producer.Producer;
import org.apache.rocketmq.client.apis.producer.Transaction;
import org.apache.rocketmq.client.apis.producer.TransactionResolution;

final class Transactions {
    static final Map<String, Program.Step> STEPS = Map.of("transactions", Transactions::run);

    /** What a check answers, by the number of times that it has come. */
    private static final Map<String, IntFunction<TransactionResolution>> ANSWERS = Map.of(
        "check commit", times -> TransactionResolution.COMMIT,
        "check rollback", times -> TransactionResolution.ROLLBACK,
        "check later", times -> times < 2 ? TransactionResolution.UNKNOWN : TransactionResolution.COMMIT,
        "commit during checks", times -> TransactionResolution.UNKNOWN);

    private final World world;
    private final List<World.Delivery> checks = new CopyOnWriteArrayList<>();

    private Transactions(World world) {
        this.world = world;
    }

    private static void run(World world) throws Exception {
        new Transactions(world).run();
    }

    private void run() throws Exception {
        Producer producer = world.producer(view -> {
            checks.add(World.Delivery.of(view));
            String label = World.textOf(view);
            return ANSWERS.get(label).apply(checksOf(label).size());
        }, world.name("transactions"));
        Transaction committed = begin(producer, "commit");
        world.codeOfAction("commit", committed::commit);
        world.codeOfAction("commit once more", committed::commit);
        world.codeOfAction("rollback", begin(producer, "rollback")::rollback);
        Transaction late = begin(producer, "commit during checks");
        for (String label : List.of("check commit", "check rollback", "check later")) {
            begin(producer, label);
        }
        SimpleConsumer consumer = world.simpleConsumer("transactions", "transactions");
        List<World.Delivery> messages = new ArrayList<>();
        receiveUntil(3, consumer, messages);
        world.until("a check of a transaction under way", () -> !checksOf("commit during checks").isEmpty());
        world.codeOfAction("commit after a check", late::commit);
        receiveUntil(4, consumer, messages);
        world.until("the check that is answered by a rollback", () -> !checksOf("check rollback").isEmpty());
        messages.addAll(world.receiveOnce(consumer));
        world.emit("received", "messages", world.inAnyOrder(firstOfEach(messages)).stream().map(Transactions::withoutCount).toList());
        for (String label : ANSWERS.keySet()) {
            world.emit("first check: " + label, "message", world.describe(checksOf(label).get(0)));
        }
        world.emit("second check: check later", "message", world.describe(checksOf("check later").get(1)));
    }

    private Transaction begin(Producer producer, String label) throws Exception {
        Transaction transaction = producer.beginTransaction();
        var message = world.message("transactions", label).setTag("t").setKeys("k1", "k2").addProperty("p", "v").build();
        world.code("half message: " + label, () -> world.send(label, message, producer, transaction));
        return transaction;
    }

    private void receiveUntil(int count, SimpleConsumer consumer, List<World.Delivery> messages) throws Exception {
        while (firstOfEach(messages).size() < count) {
            messages.addAll(world.receiveAndAck(consumer, 1));
        }
    }

    private List<World.Delivery> checksOf(String label) {
        return checks.stream().filter(check -> check.text().equals(label)).toList();
    }

    /** A real server asks again when a check falls due while the answer to the one before is under way: a message comes twice. */
    private static List<World.Delivery> firstOfEach(List<World.Delivery> messages) {
        Set<String> seen = new HashSet<>();
        return messages.stream().filter(one -> seen.add(one.view().getMessageId().toString())).toList();
    }

    /** How often a message was checked before its end took effect is a matter of luck; that it was checked is not. */
    private static Map<String, Object> withoutCount(Map<String, Object> message) {
        Map<String, Object> facts = new LinkedHashMap<>(message);
        Map<?, ?> properties = new TreeMap<>((Map<?, ?>) facts.get("properties"));
        facts.put("checked", properties.remove("TRANSACTION_CHECK_TIMES") != null);
        facts.put("properties", properties);
        return facts;
    }
}
