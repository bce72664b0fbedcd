// Measures from its making on: real time, the CPU time of this process in user and system mode, latencies.
package bench;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicInteger;

final class Meter {
    private static final OperatingSystemMXBean SYSTEM =
        (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private final long[] latencies;
    private final AtomicInteger recorded = new AtomicInteger();
    private final long cpuNanos = SYSTEM.getProcessCpuTime();
    private final long beganNanos = System.nanoTime();

    Meter(int count) {
        latencies = new long[count];
    }

    /** Records a latency; how many there are. */
    int latency(long nanos) {
        int index = recorded.getAndIncrement();
        if (index < latencies.length) {
            latencies[index] = nanos;
        }
        return index + 1;
    }

    int recorded() {
        return recorded.get();
    }

    /** One line of JSON. */
    String figures(int messages) throws Exception {
        double seconds = (System.nanoTime() - beganNanos) / 1e9;
        double cpuMicros = (SYSTEM.getProcessCpuTime() - cpuNanos) / 1e3;
        String line = String.format(Locale.ROOT,
            "{\"messages\":%d,\"seconds\":%.6f,\"perSecond\":%.2f,\"cpuMicros\":%.3f,\"cpuPercent\":%.4f,\"residentBytes\":%d",
            messages, seconds, messages / seconds, cpuMicros / messages, cpuMicros / seconds / 10_000, residentBytes());
        return line + peakField() + latencyFields() + "}";
    }

    /** Linux keeps the most that was resident; elsewhere it is left out. */
    private static String peakField() throws Exception {
        Path status = Path.of("/proc/self/status");
        if (!Files.exists(status)) {
            return "";
        }
        String line = Files.readAllLines(status).stream().filter(one -> one.startsWith("VmHWM:")).findFirst().orElseThrow();
        return ",\"peakBytes\":" + Long.parseLong(line.replaceAll("\\D", "")) * 1024;
    }

    private String latencyFields() {
        int count = Math.min(recorded.get(), latencies.length);
        if (count == 0) {
            return "";
        }
        long[] sorted = Arrays.copyOf(latencies, count);
        Arrays.sort(sorted);
        return String.format(Locale.ROOT, ",\"p50Ms\":%.4f,\"p99Ms\":%.4f", millis(sorted, 50), millis(sorted, 99));
    }

    private static double millis(long[] sorted, int percent) {
        return sorted[Math.max(0, (int) Math.ceil(percent / 100.0 * sorted.length) - 1)] / 1e6;
    }

    /** A JVM does not know its own; `ps` does, on Linux and macOS. */
    private static long residentBytes() throws Exception {
        String pid = Long.toString(ProcessHandle.current().pid());
        Process ps = new ProcessBuilder("ps", "-o", "rss=", "-p", pid).start();
        return Long.parseLong(new String(ps.getInputStream().readAllBytes()).trim()) * 1024;
    }
}
