#!/usr/bin/env bash
# Apache RocketMQ 5.5.0, name server and broker (org.apache.rocketmq:rocketmq-broker on Maven Central), a DefaultMQPushConsumer and a DefaultMQAdminExt of 5.5.0, defaults.
#
# Guessed: when an operator moves a group back (resetOffsetByTimestamp, by force), the broker asks each connected push consumer to move by RESET_CONSUMER_CLIENT_OFFSET (220),
#   as brokers of 4.x do.
# Seen: no consumer is sent a 220. The broker moves the position itself, the pull that waits is answered, and the consumer receives everything once more. What looks at 220
#   on the client, a hook or a log line, sees no reset.
#
# Needs a JDK of 17 or newer, Maven and Linux. Takes about one minute, without the downloads.

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

cat >"$folder/Reset.java" <<'JAVA'
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import org.apache.rocketmq.client.consumer.*;
import org.apache.rocketmq.client.consumer.listener.*;
import org.apache.rocketmq.client.producer.*;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.*;
import org.apache.rocketmq.remoting.RPCHook;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** Prints how many messages were handled before and after a reset, and how many requests with code 220 the consumer was sent. */
public class Reset {
  static final int COUNT = 20;

  public static void main(String[] arguments) throws Exception {
    String nameServer = "127.0.0.1:" + arguments[0], topic = arguments[1], group = "movers";
    DefaultMQProducer producer = new DefaultMQProducer("senders");
    producer.setNamesrvAddr(nameServer);
    producer.start();
    for (int index = 0; index < COUNT; index++) producer.send(new Message(topic, "x".getBytes()));
    AtomicInteger handled = new AtomicInteger(), resets = new AtomicInteger();
    // A hook sees what the client sends, and what it is sent.
    RPCHook hook = new RPCHook() {
      public void doBeforeRequest(String address, RemotingCommand request) {
        if (request.getCode() == 220) resets.incrementAndGet();
      }

      public void doAfterResponse(String address, RemotingCommand request, RemotingCommand response) {}
    };
    DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group, hook);
    consumer.setNamesrvAddr(nameServer);
    consumer.setInstanceName("consumer");
    consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
    consumer.subscribe(topic, "*");
    consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
      handled.addAndGet(messages.size());
      return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
    });
    consumer.start();
    until(() -> handled.get() >= COUNT);
    // Positions are stored every 5 s.
    Thread.sleep(8_000);
    int before = handled.get();
    DefaultMQAdminExt admin = new DefaultMQAdminExt();
    admin.setNamesrvAddr(nameServer);
    admin.setInstanceName("admin");
    admin.start();
    admin.resetOffsetByTimestamp(topic, group, 0, true);
    until(() -> handled.get() >= before + COUNT);
    Thread.sleep(5_000);
    System.out.println(before + " " + (handled.get() - before) + " " + resets.get());
    System.exit(0);
  }

  static void until(Callable<Boolean> holds) throws Exception {
    for (int tries = 0; tries < 600 && !holds.call(); tries++) Thread.sleep(100);
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
printf '%s\n' brokerName=a brokerId=0 brokerClusterName=c "listenPort=$((port + 10))" "namesrvAddr=127.0.0.1:$port" brokerIP1=127.0.0.1 \
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
admin updateTopic -t moved -r 4 -w 4

read -r before after resets <<<"$(java "${JVM[@]}" -cp "$classes" "$folder/Reset.java" "$port" moved 2>/dev/null | tail -1)"
echo "handled before the reset: $before, after it: $after, requests 220 to the consumer: $resets"
[ "$before" = 20 ] && [ "$after" = 20 ] && [ "$resets" = 0 ]
