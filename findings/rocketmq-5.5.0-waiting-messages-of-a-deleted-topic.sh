#!/usr/bin/env bash
# Apache RocketMQ 5.5.0, name server and broker (org.apache.rocketmq:rocketmq-broker on Maven Central), automatic creation of topics off; mqadmin and
# DefaultMQProducer of 5.5.0.
#
# Guessed: deleting a topic drops what waits for it. A timer message that is due while no topic of its name exists is lost or rejected, as a send to that
#   topic is.
# Seen: the broker stores it when it is due, without a topic, and it counts as sent. If a topic of the same name is created later, the message is its
#   first one, at offset 0. Deleting and creating a topic to empty it does not keep its waiting messages out.
#
# Needs a JDK of 17 or newer, Maven and Linux. Takes about two minutes, without the downloads.

set -euo pipefail
folder=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

JVM=(-Xms400m -Xmx400m "-Duser.home=$folder" --add-exports=java.base/jdk.internal.ref=ALL-UNNAMED)
for package in java.nio sun.nio.ch java.lang java.util; do JVM+=("--add-opens=java.base/$package=ALL-UNNAMED"); done

cat >"$folder/pom.xml" <<'POM'
<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-broker</artifactId><version>5.5.0</version></dependency>
<dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-namesrv</artifactId><version>5.5.0</version></dependency>
<dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-tools</artifactId><version>5.5.0</version></dependency>
</dependencies></project>
POM
mvn -q -B -f "$folder/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies "-DoutputDirectory=$folder/jars"

cat >"$folder/Topics.java" <<'JAVA'
import java.util.*;
import org.apache.rocketmq.client.consumer.*;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.*;
import org.apache.rocketmq.common.message.*;

/** send: a message that waits for 10 s; try: one that does not; read: what the topic has. */
public class Topics {
  public static void main(String[] arguments) throws Exception {
    String nameServer = "127.0.0.1:" + arguments[0], topic = arguments[1];
    if (arguments[2].equals("send")) {
      DefaultMQProducer producer = new DefaultMQProducer("senders");
      producer.setNamesrvAddr(nameServer);
      producer.start();
      Message waits = new Message(topic, "waited".getBytes());
      waits.setDelayTimeMs(10_000);
      System.out.println(producer.send(waits).getSendStatus());
    } else if (arguments[2].equals("try")) {
      DefaultMQProducer producer = new DefaultMQProducer("senders");
      producer.setNamesrvAddr(nameServer);
      producer.start();
      try {
        System.out.println(producer.send(new Message(topic, "later".getBytes())).getSendStatus());
      } catch (MQClientException error) {
        System.out.println("no route");
      }
    } else {
      DefaultMQPullConsumer consumer = new DefaultMQPullConsumer("readers");
      consumer.setNamesrvAddr(nameServer);
      consumer.start();
      MessageQueue queue = new MessageQueue(topic, "a", 0);
      StringJoiner bodies = new StringJoiner(",");
      for (long offset = consumer.minOffset(queue); offset < consumer.maxOffset(queue); offset++) {
        for (MessageExt message : consumer.pull(queue, "*", offset, 1).getMsgFoundList()) bodies.add(offset + ":" + new String(message.getBody()));
      }
      System.out.println(bodies.length() == 0 ? "nothing" : bodies);
    }
    System.exit(0);
  }
}
JAVA

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
ready() {
  for _ in $(seq 120); do
    if answers "$1"; then return; fi
    sleep 0.5
  done
  echo "nothing listens on port $1" >&2
  exit 1
}

port=24190
mkdir -p "$folder/conf"
echo '<configuration><root level="ERROR"/></configuration>' | tee "$folder/conf/logback_namesrv.xml" >"$folder/conf/rmq.broker.logback.xml"
echo "listenPort=$port" >"$folder/name-server.conf"
printf '%s\n' brokerName=a brokerId=0 brokerClusterName=c "listenPort=$((port + 10))" "namesrvAddr=127.0.0.1:$port" brokerIP1=127.0.0.1 autoCreateTopicEnable=false timerWheelEnable=true \
  "storePathRootDir=$folder/store" "storePathCommitLog=$folder/store/commitlog" mappedFileSizeCommitLog=67108864 \
  mappedFileSizeConsumeQueue=1200000 diskMaxUsedSpaceRatio=98 >"$folder/broker.conf"
export ROCKETMQ_HOME=$folder
classes="$folder/jars/*"
java "${JVM[@]}" -cp "$classes" org.apache.rocketmq.namesrv.NamesrvStartup -c "$folder/name-server.conf" >/dev/null 2>&1 &
pids+=($!)
ready "$port"
java "${JVM[@]}" -cp "$classes" org.apache.rocketmq.broker.BrokerStartup -c "$folder/broker.conf" >/dev/null 2>&1 &
pids+=($!)
ready "$((port + 10))"
admin() {
  for _ in $(seq 30); do
    if java "${JVM[@]}" -cp "$classes" org.apache.rocketmq.tools.command.MQAdminStartup "$@" -n "127.0.0.1:$port" -c c 2>/dev/null | grep -q success; then return; fi
    sleep 1
  done
  echo "mqadmin $1 did not succeed" >&2
  exit 1
}
topics() { java "${JVM[@]}" -cp "$classes" "$folder/Topics.java" "$port" emptied "$1" 2>/dev/null | tail -1; }

admin updateTopic -t emptied -r 1 -w 1
sent=$(topics send)
admin deleteTopic -t emptied
gone=$(topics try)
# Until the message has been due for a while.
sleep 15
admin updateTopic -t emptied -r 1 -w 1
sleep 2
found=$(topics read)
echo "sent: $sent, a send to the deleted topic: $gone, in the topic created anew: $found"
[ "$sent" = SEND_OK ] && [ "$gone" = 'no route' ] && [ "$found" = 0:waited ]
