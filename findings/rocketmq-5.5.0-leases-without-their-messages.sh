#!/usr/bin/env bash
# Apache RocketMQ 5.5.0, broker and proxy in one process (org.apache.rocketmq:rocketmq-proxy on Maven Central), mqadmin, and the official client for gRPC
#   (org.apache.rocketmq:rocketmq-client-java:5.2.0). Two messages, old1 and old2, are received and not acknowledged; then an operator acts; then all that comes
#   is acknowledged, until the invisible duration of the two is over, and 45 s more.
#
# Guessed: an invisible duration is about a message. When the topic is deleted, or the group is deleted with its offsets or moved to the end of the topic, what was
#   received before is over, and does not come again.
# Seen: it is about a place, queue and offset, and nothing ends it but its time.
#   - The topic was deleted and created anew: what was then sent to the same offsets was received, acknowledged with OK, and is delivered again as attempt 2.
#   - The group was deleted with its offsets and created anew: it began at the first message, and each of the two came twice.
#   - The group was moved to the end: what it had received before came all the same.
#   Where the two had been acknowledged before the topic was deleted, each new message came once.
#
# What it means for an operator: stop the consumers and wait for the end of the longest invisible duration before any of the three.
# Needs a JDK of 17 or newer, Maven and Linux. Takes five to eight minutes, without the downloads.

set -euo pipefail
folder=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

JVM=(-Xms300m -Xmx300m "-Duser.home=$folder" --add-exports=java.base/jdk.internal.ref=ALL-UNNAMED)
for package in java.nio sun.nio.ch java.lang java.util; do JVM+=("--add-opens=java.base/$package=ALL-UNNAMED"); done

port=24390
topic_cases='topic settled'
group_cases='group moved'

cat >"$folder/Leases.java" <<'JAVA'
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import org.apache.rocketmq.client.apis.*;
import org.apache.rocketmq.client.apis.consumer.*;
import org.apache.rocketmq.client.apis.message.MessageView;
import org.apache.rocketmq.client.apis.producer.Producer;

/** take PORT CASE...: receives two messages of each case. rest PORT CASE...: sends two more where the topic is new, and prints what comes. */
public class Leases {
  static final ClientServiceProvider PROVIDER = ClientServiceProvider.loadService();
  static final Duration LEASE = Duration.ofSeconds(120);
  static ClientConfiguration endpoints;

  static SimpleConsumer consumer(String name) throws Exception {
    return PROVIDER.newSimpleConsumerBuilder().setClientConfiguration(endpoints).setConsumerGroup("group-" + name).setAwaitDuration(Duration.ofSeconds(5))
      .setSubscriptionExpressions(Map.of("topic-" + name, FilterExpression.SUB_ALL)).build();
  }

  static void send(String name, String... bodies) throws Exception {
    try (Producer producer = PROVIDER.newProducerBuilder().setClientConfiguration(endpoints).setTopics("topic-" + name).build()) {
      for (String body : bodies) producer.send(PROVIDER.newMessageBuilder().setTopic("topic-" + name).setBody(body.getBytes()).build());
    }
  }

  static void take(String name) throws Exception {
    try (SimpleConsumer consumer = consumer(name)) {
      // The position of the group is known once it has polled.
      consumer.receive(2, LEASE);
      send(name, "old1", "old2");
      for (int taken = 0; taken < 2; ) {
        for (MessageView message : consumer.receive(2, LEASE)) {
          taken++;
          if (name.equals("settled")) consumer.ack(message);
        }
      }
    }
  }

  static String rest(String name) throws Exception {
    if (name.equals("topic") || name.equals("settled")) send(name, "new1", "new2");
    List<String> came = new ArrayList<>();
    long end = System.nanoTime() + LEASE.plusSeconds(45).toNanos();
    try (SimpleConsumer consumer = consumer(name)) {
      while (System.nanoTime() < end) {
        for (MessageView message : consumer.receive(8, LEASE)) {
          came.add(StandardCharsets.UTF_8.decode(message.getBody()) + " as attempt " + message.getDeliveryAttempt());
          consumer.ack(message);
        }
      }
    }
    came.sort(Comparator.comparing((String line) -> line.substring(line.length() - 1)).thenComparing(line -> line));
    return name + ": " + String.join(", ", came);
  }

  public static void main(String[] arguments) throws Exception {
    endpoints = ClientConfiguration.newBuilder().setEndpoints("127.0.0.1:" + arguments[1]).enableSsl(false).build();
    ExecutorService threads = Executors.newCachedThreadPool();
    List<Future<String>> results = new ArrayList<>();
    for (String name : List.of(arguments).subList(2, arguments.length)) {
      results.add(threads.submit(() -> {
        if (arguments[0].equals("rest")) return rest(name);
        take(name);
        return name + " taken";
      }));
    }
    for (Future<String> result : results) System.out.println(result.get());
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }
}
JAVA

# jars FOLDER ARTIFACT:VERSION...
jars() {
  local into=$1 artifact
  shift
  mkdir -p "$folder/$into"
  {
    echo '<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId><version>1</version><dependencies>'
    for artifact in "$@"; do
      echo "<dependency><groupId>org.apache.rocketmq</groupId><artifactId>${artifact%:*}</artifactId><version>${artifact#*:}</version></dependency>"
    done
    echo '</dependencies></project>'
  } >"$folder/$into/pom.xml"
  mvn -q -B -f "$folder/$into/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies "-DoutputDirectory=$folder/$into/jars"
}
jars server rocketmq-proxy:5.5.0 rocketmq-namesrv:5.5.0 rocketmq-tools:5.5.0
jars client rocketmq-client-java:5.2.0

ready() {
  for _ in $(seq 120); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
    sleep 0.5
  done
  echo "nothing listens on port $1" >&2
  exit 1
}

mkdir -p "$folder/conf"
echo '<configuration><root level="ERROR"/></configuration>' | tee "$folder/conf/logback_namesrv.xml" "$folder/conf/rmq.proxy.logback.xml" >"$folder/conf/rmq.broker.logback.xml"
echo "listenPort=$port" >"$folder/name-server.conf"
printf '%s\n' brokerName=a brokerId=0 brokerClusterName=c "listenPort=$((port + 10))" "namesrvAddr=127.0.0.1:$port" brokerIP1=127.0.0.1 \
  "storePathRootDir=$folder/store" "storePathCommitLog=$folder/store/commitlog" mappedFileSizeCommitLog=67108864 \
  mappedFileSizeConsumeQueue=1200000 diskMaxUsedSpaceRatio=98 >"$folder/broker.conf"
printf '{"rocketMQClusterName":"c","namesrvAddr":"127.0.0.1:%d","localServeAddr":"127.0.0.1","grpcServerPort":%d,"remotingListenPort":%d}' \
  "$port" "$((port + 20))" "$((port + 21))" >"$folder/conf/rmq-proxy.json"
export ROCKETMQ_HOME=$folder
classes="$folder/server/jars/*"
java "${JVM[@]}" -cp "$classes" org.apache.rocketmq.namesrv.NamesrvStartup -c "$folder/name-server.conf" >/dev/null 2>&1 &
pids+=($!)
ready "$port"
java "${JVM[@]}" -Xms400m -Xmx400m -cp "$classes" org.apache.rocketmq.proxy.ProxyStartup -pm local -bc "$folder/broker.conf" -n "127.0.0.1:$port" >/dev/null 2>&1 &
pids+=($!)
ready "$((port + 20))"
# admin WHAT-SUCCESS-PRINTS ARGUMENT...
admin() {
  local success=$1
  shift
  for _ in $(seq 30); do
    if java "${JVM[@]}" -cp "$classes" org.apache.rocketmq.tools.command.MQAdminStartup "$@" -n "127.0.0.1:$port" 2>/dev/null | grep "$success" >/dev/null; then return; fi
    sleep 1
  done
  echo "mqadmin $1 did not succeed" >&2
  exit 1
}
topic() { admin success updateTopic -c c -t "$1" -r 1 -w 1 -a +message.type=NORMAL; }
group() { admin success updateSubGroup -c c -g "$1"; }
leases() { java "${JVM[@]}" -cp "$folder/client/jars/*" "$folder/Leases.java" "$1" "$((port + 20))" $topic_cases $group_cases; }

for name in $topic_cases $group_cases; do
  topic "topic-$name"
  group "group-$name"
done
leases take
for name in $topic_cases; do
  admin success deleteTopic -c c -t "topic-$name"
  topic "topic-$name"
done
admin success deleteSubGroup -c c -g group-group -r true
group group-group
admin '^a ' resetOffsetByTime -g group-moved -t topic-moved -s now
leases rest >"$folder/seen"
diff "$folder/seen" - <<'SEEN'
topic: new1 as attempt 1, new2 as attempt 1, new1 as attempt 2, new2 as attempt 2
settled: new1 as attempt 1, new2 as attempt 1
group: old1 as attempt 1, old2 as attempt 1, old1 as attempt 2, old2 as attempt 2
moved: old1 as attempt 2, old2 as attempt 2
SEEN
cat "$folder/seen"
