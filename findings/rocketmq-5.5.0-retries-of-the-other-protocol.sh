#!/usr/bin/env bash
# Apache RocketMQ 5.5.0, broker and proxy in one process (org.apache.rocketmq:rocketmq-proxy on Maven Central); DefaultMQPushConsumer of the Java client 5.5.0 with its
#   defaults, and the official client for gRPC (org.apache.rocketmq:rocketmq-client-java:5.2.0). The members of two groups stop while two messages
#   wait for a retry, and members of the other kind start: from the remoting protocol to gRPC, and back.
#
# Guessed: what waits for a retry belongs to the group, and whoever is its next member receives it.
# Seen: neither kind receives what the other has left, in 90 s, although what is sent then arrives. The members of the former kind get it when they return.
#   Those of the remoting protocol pull, and have their retries in %RETRY%GROUP; those of gRPC have them in %RETRY%GROUP_TOPIC.
#
# What it means for a migration: it loses nothing, but what failed last is silently left behind, in both directions. Let the old members run until
#   nothing waits, or give the new ones a group of their own.
# Needs a JDK of 17 or newer, Maven and Linux. Takes four to six minutes, without the downloads.

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

port=24430

cat >"$folder/Pulls.java" <<'JAVA'
import java.util.*;
import java.util.concurrent.*;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.*;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;

/** PORT NAME SECONDS fail|handle BODY...: sends the bodies, and prints what comes. */
public class Pulls {
  public static void main(String[] arguments) throws Exception {
    String nameServer = "127.0.0.1:" + arguments[0], name = arguments[1];
    boolean fails = arguments[3].equals("fail");
    SortedSet<String> came = new ConcurrentSkipListSet<>();
    DefaultMQPushConsumer consumer = new DefaultMQPushConsumer("group-" + name);
    consumer.setNamesrvAddr(nameServer);
    consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
    consumer.subscribe("topic-" + name, "*");
    consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
      for (var message : messages) came.add(new String(message.getBody()));
      return fails ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
    });
    consumer.start();
    DefaultMQProducer producer = new DefaultMQProducer("senders");
    producer.setNamesrvAddr(nameServer);
    producer.setInstanceName("producer");
    producer.start();
    for (String body : List.of(arguments).subList(4, arguments.length)) producer.send(new Message("topic-" + name, body.getBytes()));
    Thread.sleep(1_000 * Long.parseLong(arguments[2]));
    consumer.shutdown();
    System.out.println(String.join(" ", came));
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }
}
JAVA

cat >"$folder/Pops.java" <<'JAVA'
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import org.apache.rocketmq.client.apis.*;
import org.apache.rocketmq.client.apis.consumer.*;
import org.apache.rocketmq.client.apis.message.MessageView;
import org.apache.rocketmq.client.apis.producer.Producer;

/** PORT NAME SECONDS fail|handle BODY...: sends the bodies, and prints what comes. */
public class Pops {
  public static void main(String[] arguments) throws Exception {
    String topic = "topic-" + arguments[1];
    ClientServiceProvider provider = ClientServiceProvider.loadService();
    ClientConfiguration endpoints = ClientConfiguration.newBuilder().setEndpoints("127.0.0.1:" + arguments[0]).enableSsl(false).build();
    SimpleConsumer consumer = provider.newSimpleConsumerBuilder().setClientConfiguration(endpoints).setConsumerGroup("group-" + arguments[1])
      .setAwaitDuration(Duration.ofSeconds(5)).setSubscriptionExpressions(Map.of(topic, FilterExpression.SUB_ALL)).build();
    SortedSet<String> came = new TreeSet<>();
    // A first poll, with which a new group has its position.
    for (MessageView message : consumer.receive(1, Duration.ofSeconds(10))) {
      came.add(StandardCharsets.UTF_8.decode(message.getBody()).toString());
      consumer.ack(message);
    }
    Producer producer = provider.newProducerBuilder().setClientConfiguration(endpoints).setTopics(topic).build();
    for (String body : List.of(arguments).subList(4, arguments.length)) {
      producer.send(provider.newMessageBuilder().setTopic(topic).setBody(body.getBytes()).build());
    }
    long end = System.nanoTime() + Duration.ofSeconds(Long.parseLong(arguments[2])).toNanos();
    while (System.nanoTime() < end) {
      for (MessageView message : consumer.receive(8, Duration.ofSeconds(10))) {
        came.add(StandardCharsets.UTF_8.decode(message.getBody()).toString());
        if (arguments[3].equals("handle")) consumer.ack(message);
      }
    }
    System.out.println(String.join(" ", came));
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
pulls() { java "${JVM[@]}" -cp "$classes" "$folder/Pulls.java" "$port" "$@" 2>/dev/null | tail -1; }
pops() { java "${JVM[@]}" -cp "$folder/client/jars/*" "$folder/Pops.java" "$((port + 20))" "$@" 2>/dev/null | tail -1; }

for name in forth back; do
  topic "topic-$name"
  group "group-$name"
done
# A failed message is retried after 10 s, by either.
forth() {
  echo "remoting, fails: $(pulls forth 8 fail one two)"
  echo "then gRPC: $(pops forth 90 handle three)"
  echo "remoting again: $(pulls forth 60 handle four)"
}
back() {
  echo "gRPC, fails: $(pops back 6 fail one two)"
  sleep 15
  echo "then remoting: $(pulls back 90 handle three)"
  echo "gRPC again: $(pops back 30 handle four)"
}
forth >"$folder/seen" &
direction=$!
back >"$folder/seen-back"
wait "$direction"
cat "$folder/seen-back" >>"$folder/seen"
diff "$folder/seen" - <<'SEEN'
remoting, fails: one two
then gRPC: three
remoting again: four one two
gRPC, fails: one two
then remoting: three
gRPC again: four one two
SEEN
cat "$folder/seen"
