// Push consumers whose broker is killed: all that was accepted must be consumed, in order where that is promised.
package interop;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;

final class Kills {
    static final Map<String, Program.Step> STEPS = Map.of("kills", Kills::kills);

    private static final List<String> TOPICS = List.of("kills", "kills-order");
    /** Consumed of each topic before this program says that messages flow. */
    private static final int FLOWING = 20;
    private static final long PAUSE_MS = 20;

    private Kills() {
    }

    /** Sends until its input ends: the one who kills says when. */
    private static void kills(World world) throws Exception {
        AtomicBoolean isOver = endOfInput();
        Map<String, Set<String>> consumed = Map.of(
            "kills", Collections.synchronizedSet(new LinkedHashSet<>()),
            "kills-order", Collections.synchronizedSet(new LinkedHashSet<>()));
        for (String topic : TOPICS) {
            world.pushConsumer(topic, topic, (text, attempt) -> {
                consumed.get(topic).add(text);
                return true;
            });
        }
        List<String> sent = new ArrayList<>();
        boolean flowing = false;
        while (!isOver.get()) {
            String label = String.valueOf(sent.size());
            for (String topic : TOPICS) {
                var message = world.message(topic, label);
                if (topic.equals("kills-order")) {
                    message.setMessageGroup("g");
                }
                // Without an answer it may have been accepted; a copy does no harm here.
                world.retry(() -> world.send(label, message.build()));
            }
            sent.add(label);
            if (!flowing && consumed.values().stream().allMatch(labels -> labels.size() >= FLOWING)) {
                flowing = true;
                world.emit("flowing");
            }
            World.sleep(PAUSE_MS);
        }
        for (String topic : TOPICS) {
            world.until("all messages of " + topic, () -> consumed.get(topic).containsAll(sent));
        }
        boolean inOrder = List.copyOf(consumed.get("kills-order")).equals(sent);
        world.emit("consumed", "all", true, "inOrder", inOrder);
        world.emit("end");
        // How clients close is the step "shutdown"; after a kill this one may hang there, on a real server too.
        Runtime.getRuntime().halt(0);
    }

    private static AtomicBoolean endOfInput() {
        AtomicBoolean isOver = new AtomicBoolean();
        Thread reader = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {
                    // Nothing is said to this program but that it is over.
                }
            } catch (IOException error) {
                // Over, too.
            }
            isOver.set(true);
        });
        reader.setDaemon(true);
        reader.start();
        return isOver;
    }
}
