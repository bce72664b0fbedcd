// The interop program for the official admin tools (rocketmq-tools), run from its source. Arguments: name server, prefix. It prints what the
// tools see as JSON lines, as the programs of the clients do.

import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;
import org.apache.rocketmq.tools.command.CommandUtil;

public final class Administration {
    private static final String CLUSTER = "DefaultCluster";
    private static final long TIMEOUT_MS = 10_000;
    private static final Map<String, String> FIFO = Map.of("+message.type", "FIFO");

    private final DefaultMQAdminExt admin = new DefaultMQAdminExt(TIMEOUT_MS);
    private final String prefix;

    private Administration(String nameServer, String prefix) {
        this.prefix = prefix;
        admin.setNamesrvAddr(nameServer);
    }

    public static void main(String[] args) {
        try {
            new Administration(args[0], args[1]).run();
            print("end", "{}");
        } catch (Exception error) {
            error.printStackTrace();
            print("failed", "{\"error\":\"" + error.getClass().getSimpleName() + ", see the error output\"}");
            System.exit(1);
        }
        System.exit(0);
    }

    private void run() throws Exception {
        admin.start();
        try {
            Set<String> masters = CommandUtil.fetchMasterAddrByClusterName(admin, CLUSTER);
            String master = masters.iterator().next();

            admin.createTopic(CLUSTER, prefix + "by-cluster", 4, FIFO);
            topic("createTopic by the name of the cluster", master, "by-cluster");
            admin.createTopic("TBW102", prefix + "by-example", 2, Map.of());
            topic("createTopic by TBW102", master, "by-example");
            code("createTopic by a topic that does not exist", () ->
                admin.createTopic(prefix + "none", prefix + "never", 2, Map.of()));

            // As the command updateTopic does.
            TopicConfig config = new TopicConfig(prefix + "updated", 3, 3, 6);
            config.setAttributes(Map.of("+message.type", "DELAY"));
            for (String each : masters) {
                admin.createAndUpdateTopicConfig(each, config);
            }
            topic("updateTopic", master, "updated");
            admin.deleteTopicInBroker(masters, prefix + "updated");
            admin.deleteTopicInNameServer(Set.of(admin.getNamesrvAddr()), CLUSTER, prefix + "updated");
            code("the route of a deleted topic", () -> admin.examineTopicRouteInfo(prefix + "updated"));

            SubscriptionGroupConfig group = new SubscriptionGroupConfig();
            group.setGroupName(prefix + "group");
            group.setConsumeMessageOrderly(true);
            group.setRetryMaxTimes(3);
            admin.createAndUpdateSubscriptionGroupConfig(master, group);
            SubscriptionGroupConfig made = admin.examineSubscriptionGroupConfig(master, prefix + "group");
            print("updateSubGroup", "{\"orderly\":" + made.isConsumeMessageOrderly() + ",\"retries\":" + made.getRetryMaxTimes() + "}");
        } finally {
            admin.shutdown();
        }
    }

    /** What broker and name server say of a topic. */
    private void topic(String what, String master, String purpose) throws Exception {
        TopicConfig config = admin.examineTopicConfig(master, prefix + purpose);
        String route = admin.examineTopicRouteInfo(prefix + purpose).getQueueDatas().stream()
            .map(data -> data.getWriteQueueNums() + " queues, perm " + data.getPerm()).collect(Collectors.joining("; "));
        // Without a type it takes normal messages; the embedded broker says so.
        String type = config.getAttributes().getOrDefault("message.type", "NORMAL");
        print(what, "{\"queues\":" + config.getWriteQueueNums() + ",\"perm\":" + config.getPerm() + ",\"type\":\"" + type
            + "\",\"route\":\"" + route + "\"}");
    }

    interface Call {
        void run() throws Exception;
    }

    private static void code(String what, Call call) throws Exception {
        try {
            call.run();
            print(what, "{\"code\":0}");
        } catch (MQClientException error) {
            Throwable cause = error;
            while (cause.getCause() instanceof MQClientException next) {
                cause = next;
            }
            print(what, "{\"code\":" + ((MQClientException) cause).getResponseCode() + "}");
        }
    }

    private static void print(String what, String facts) {
        String rest = facts.equals("{}") ? "}" : "," + facts.substring(1);
        System.out.println("{\"step\":\"administration\",\"what\":\"" + what + "\"" + rest);
    }
}
