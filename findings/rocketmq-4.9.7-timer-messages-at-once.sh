#!/usr/bin/env bash
# Apache RocketMQ 4.9.7 and 5.5.0, name server and broker of each, with the same DefaultMQProducer and DefaultMQPushConsumer of the Java client 5.5.0.
#
# Guessed: the client of 5.x with a broker of 4.9.7, which has no timer messages, gets an error for `setDelayTimeMs`, as it gets code 3 ("request type not
#   supported") for other requests that the broker does not know. Or the client rejects it.
# Seen: the answer is SEND_OK, as on 5.5.0, and the message is delivered at once. The broker stores the delay as a property that means nothing to it. The one
#   sign is that the result of the send has no recall handle.
#
# What it means where both versions are in use: delay by level (`setDelayTimeLevel`) until the last broker is one of 5.x.
# Needs a JDK of 17 or newer, Maven and Linux. Takes one to three minutes, without the downloads.

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
for version in 4.9.7 5.5.0; do jars "$version" "rocketmq-namesrv:$version" "rocketmq-broker:$version"; done
jars client rocketmq-client:5.5.0

cat >"$folder/Delay.java" <<'JAVA'
import java.util.*;
import java.util.concurrent.*;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.*;
import org.apache.rocketmq.client.exception.*;
import org.apache.rocketmq.client.producer.*;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;

/** Sends a message that is due after 15 s, and prints when it arrived. */
public class Delay {
  public static void main(String[] arguments) throws Exception {
    DefaultMQProducer producer = new DefaultMQProducer("senders");
    producer.setNamesrvAddr(arguments[0]);
    producer.setInstanceName("producer");
    producer.start();
    // With the first message the broker creates the topic.
    for (int tries = 0; ; tries++) {
      try {
        producer.send(new Message("reminders", "first".getBytes()));
        break;
      } catch (MQClientException | MQBrokerException failure) {
        if (tries == 60) throw failure;
        Thread.sleep(1_000);
      }
    }
    BlockingQueue<String> arrived = new LinkedBlockingQueue<>();
    DefaultMQPushConsumer consumer = new DefaultMQPushConsumer("readers");
    consumer.setNamesrvAddr(arguments[0]);
    consumer.setInstanceName("consumer");
    consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
    consumer.subscribe("reminders", "*");
    consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
      for (var message : messages) arrived.add(new String(message.getBody()));
      return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
    });
    consumer.start();
    if (!"first".equals(arrived.poll(60, TimeUnit.SECONDS))) throw new IllegalStateException("nothing came");
    Message waits = new Message("reminders", "waits".getBytes());
    waits.setDelayTimeMs(15_000);
    long start = System.nanoTime();
    SendResult result = producer.send(waits);
    String body = arrived.poll(60, TimeUnit.SECONDS);
    double seconds = (System.nanoTime() - start) / 1e9;
    System.err.printf("%s after %.2f s%n", body, seconds);
    String when = body == null ? "never" : seconds < 5 ? "at once" : seconds >= 14.9 ? "when it was due" : "early";
    System.out.printf("%s, %s recall handle, delivered %s%n", result.getSendStatus(), result.getRecallHandle() == null ? "no" : "a", when);
    System.exit(0);
  }
}
JAVA

ready() {
  for _ in $(seq 120); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
    sleep 0.5
  done
  echo "nothing listens on port $1" >&2
  exit 1
}

# delivered VERSION PORT
delivered() {
  local version=$1 port=$2 run=$folder/run-$1 name_server broker
  mkdir -p "$run/conf"
  for name in logback_namesrv logback_broker rmq.broker.logback; do
    echo '<configuration><root level="ERROR"/></configuration>' >"$run/conf/$name.xml"
  done
  echo "listenPort=$port" >"$run/name-server.conf"
  printf '%s\n' brokerName=a brokerId=0 "listenPort=$((port + 10))" "namesrvAddr=127.0.0.1:$port" brokerIP1=127.0.0.1 autoCreateTopicEnable=true \
    "storePathRootDir=$run/store" "storePathCommitLog=$run/store/commitlog" mappedFileSizeCommitLog=67108864 \
    mappedFileSizeConsumeQueue=1200000 diskMaxUsedSpaceRatio=98 >"$run/broker.conf"
  ROCKETMQ_HOME=$run java "${JVM[@]}" -cp "$folder/$version/jars/*" org.apache.rocketmq.namesrv.NamesrvStartup -c "$run/name-server.conf" >/dev/null 2>&1 &
  name_server=$!
  pids+=("$name_server")
  ready "$port"
  ROCKETMQ_HOME=$run java "${JVM[@]}" -cp "$folder/$version/jars/*" org.apache.rocketmq.broker.BrokerStartup -c "$run/broker.conf" >/dev/null 2>&1 &
  broker=$!
  pids+=("$broker")
  ready "$((port + 10))"
  echo "$version: $(java "${JVM[@]}" -cp "$folder/client/jars/*" "$folder/Delay.java" "127.0.0.1:$port" | tail -1)"
  kill -9 "$broker" "$name_server"
  wait "$broker" "$name_server" 2>/dev/null || true
}

{
  delivered 4.9.7 24330
  delivered 5.5.0 24360
} >"$folder/seen"
diff "$folder/seen" - <<'SEEN'
4.9.7: SEND_OK, no recall handle, delivered at once
5.5.0: SEND_OK, a recall handle, delivered when it was due
SEEN
cat "$folder/seen"
