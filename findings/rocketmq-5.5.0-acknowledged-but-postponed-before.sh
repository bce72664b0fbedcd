#!/usr/bin/env bash
# Apache RocketMQ 5.5.0, broker and proxy in one process (org.apache.rocketmq:rocketmq-proxy on Maven Central, ProxyStartup -pm local, as mqbroker --enable-proxy
#   starts it), and the official client for gRPC (org.apache.rocketmq:rocketmq-client-java:5.2.0). Four messages of one queue arrive together. A simple consumer
#   postpones each by 20 s and acknowledges it, all with OK. A push consumer's listener takes 65 s for each, all at once, and returns SUCCESS.
#
# Guessed: a message that was acknowledged before its time was over does not come again.
# Seen: all but the first come again, once, as attempt 2. The proxy's handle of a changed delivery has the start of the former one, the broker's record of it the
#   place of the message, so the acknowledgment is stored and finds nothing. The proxy changes deliveries of a push consumer itself after 50 s. A message that
#   arrives alone is the first one of its answer, which hides it from a trial. apache/rocketmq 9583 has the case of the simple consumer, with 5.3.3.
#
# Needs a JDK of 17 or newer, Maven and Linux. Takes four minutes, without the downloads.

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

port=24590

cat >"$folder/Postponed.java" <<'JAVA'
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import org.apache.rocketmq.client.apis.*;
import org.apache.rocketmq.client.apis.consumer.*;
import org.apache.rocketmq.client.apis.message.MessageView;
import org.apache.rocketmq.client.apis.producer.Producer;

public class Postponed {
  static final ClientServiceProvider PROVIDER = ClientServiceProvider.loadService();
  static ClientConfiguration endpoints;

  static String textOf(MessageView message) {
    return StandardCharsets.UTF_8.decode(message.getBody()) + " as attempt " + message.getDeliveryAttempt();
  }

  /** Four messages that arrive together. */
  static List<MessageView> four(SimpleConsumer consumer, String topic) throws Exception {
    // The position of the group is known once it has polled.
    consumer.receive(4, Duration.ofSeconds(60));
    try (Producer producer = PROVIDER.newProducerBuilder().setClientConfiguration(endpoints).setTopics(topic).build()) {
      for (int i = 1; i <= 4; i++) producer.send(PROVIDER.newMessageBuilder().setTopic(topic).setBody(("m" + i).getBytes()).build());
    }
    return consumer.receive(4, Duration.ofSeconds(60));
  }

  static SimpleConsumer simple(String topic, String group) throws Exception {
    return PROVIDER.newSimpleConsumerBuilder().setClientConfiguration(endpoints).setConsumerGroup(group).setAwaitDuration(Duration.ofSeconds(5))
      .setSubscriptionExpressions(Map.of(topic, FilterExpression.SUB_ALL)).build();
  }

  static String bySimple() throws Exception {
    try (SimpleConsumer consumer = simple("topic-simple", "group-simple")) {
      List<MessageView> messages = four(consumer, "topic-simple");
      if (messages.size() != 4) throw new IllegalStateException("they did not arrive together: " + messages.size());
      for (MessageView message : messages) consumer.changeInvisibleDuration(message, Duration.ofSeconds(20));
      for (MessageView message : messages) consumer.ack(message);
      List<String> came = new ArrayList<>();
      long end = System.nanoTime() + Duration.ofSeconds(40).toNanos();
      while (System.nanoTime() < end) {
        for (MessageView message : consumer.receive(8, Duration.ofSeconds(60))) {
          came.add(textOf(message));
          consumer.ack(message);
        }
      }
      Collections.sort(came);
      return "simple consumer, again: " + String.join(", ", came);
    }
  }

  static String byPush() throws Exception {
    try (SimpleConsumer first = simple("topic-push", "group-first")) {
      four(first, "topic-push");
    }
    List<String> came = new CopyOnWriteArrayList<>();
    try (PushConsumer consumer = PROVIDER.newPushConsumerBuilder().setClientConfiguration(endpoints).setConsumerGroup("group-push")
      .setSubscriptionExpressions(Map.of("topic-push", FilterExpression.SUB_ALL))
      .setMessageListener(message -> {
        came.add(textOf(message));
        try {
          if (message.getDeliveryAttempt() == 1) Thread.sleep(65_000);
        } catch (InterruptedException e) {
          return ConsumeResult.FAILURE;
        }
        return ConsumeResult.SUCCESS;
      }).build()) {
      Thread.sleep(170_000);
    }
    List<String> sorted = new ArrayList<>(came);
    Collections.sort(sorted, Comparator.comparing((String line) -> line.substring(line.length() - 1)).thenComparing(line -> line));
    return "push consumer: " + String.join(", ", sorted);
  }

  public static void main(String[] arguments) throws Exception {
    endpoints = ClientConfiguration.newBuilder().setEndpoints("127.0.0.1:" + arguments[0]).enableSsl(false).build();
    ExecutorService threads = Executors.newCachedThreadPool();
    List<Callable<String>> cases = List.of(Postponed::bySimple, Postponed::byPush);
    for (Future<String> result : threads.invokeAll(cases)) System.out.println(result.get());
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
for name in simple push; do
  admin success updateTopic -c c -t "topic-$name" -r 1 -w 1 -a +message.type=NORMAL
  admin success updateSubGroup -c c -g "group-$name"
done
admin success updateSubGroup -c c -g group-first
# The push consumer begins at the first message.
java "${JVM[@]}" -cp "$folder/client/jars/*" "$folder/Postponed.java" "$((port + 20))" >"$folder/seen"
diff "$folder/seen" - <<'SEEN'
simple consumer, again: m2 as attempt 2, m3 as attempt 2, m4 as attempt 2
push consumer: m1 as attempt 1, m2 as attempt 1, m3 as attempt 1, m4 as attempt 1, m2 as attempt 2, m3 as attempt 2, m4 as attempt 2
SEEN
cat "$folder/seen"
