// The interop program for the official Java client. Arguments: endpoints, prefix, steps separated by commas. Each step
// prints what it saw as JSON lines; node/ holds the same program for the Node client.
package interop;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

public final class Program {
    /** All at once would starve a small machine, and then what has a lease or a due time. */
    private static final long STAGGER_MS = 300;

    interface Step {
        void run(World world) throws Exception;
    }

    public static void main(String[] args) throws InterruptedException {
        Map<String, Step> steps = new HashMap<>();
        steps.putAll(Sending.STEPS);
        steps.putAll(Consuming.STEPS);
        steps.putAll(Ordering.STEPS);
        steps.putAll(Transactions.STEPS);
        steps.putAll(Kills.STEPS);
        List<Thread> threads = new ArrayList<>();
        for (String name : args[2].split(",")) {
            Thread thread = new Thread(() -> run(name, steps.get(name), args[0], args[1]), name);
            thread.start();
            Thread.sleep(STAGGER_MS);
            threads.add(thread);
        }
        for (Thread thread : threads) {
            thread.join();
        }
        // No exit(): a client that was closed must leave nothing behind that keeps the process.
    }

    private static void run(String name, Step step, String endpoints, String prefix) {
        World world = new World(endpoints, prefix, name);
        try {
            step.run(world);
            world.close();
            world.emit("end");
        } catch (Throwable error) {
            world.emit("failed", "error", Json.stackOf(error));
            world.close();
        }
    }
}
