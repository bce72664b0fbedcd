#!/usr/bin/env bash
# Apache RocketMQ 5.5.0, name server and broker (org.apache.rocketmq:rocketmq-broker on Maven Central), one TransactionMQProducer of the Java client of 5.5.0.
#
# Guessed: a transaction that commits is stored in its topic once, also when its local transaction takes longer than the first check, which is answered with "unknown".
# Seen: such a transaction is stored twice. Each check stores the half message again, and the producer ends the copy that it sent itself. The newer copy stays open, is
#   checked again, and the check finds the local transaction done and commits it, too. Transactions that end before their first check are stored once.
#
# Needs a JDK of 17 or newer, Maven and Linux. Takes about five minutes, without the downloads.

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

cat >"$folder/Slow.java" <<'JAVA'
import java.util.*;
import java.util.concurrent.*;
import org.apache.rocketmq.client.producer.*;
import org.apache.rocketmq.common.message.*;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** Transactions of one producer that take so long or up to 0.5 s more, all committed. Prints how many messages the topic has in the end. */
public class Slow {
  static final int COUNT = 24;

  public static void main(String[] arguments) throws Exception {
    String nameServer = "127.0.0.1:" + arguments[0], topic = arguments[1];
    long shortestMs = Long.parseLong(arguments[2]);
    Set<String> done = ConcurrentHashMap.newKeySet();
    ExecutorService work = Executors.newCachedThreadPool();
    TransactionMQProducer producer = new TransactionMQProducer(topic + "-senders");
    producer.setNamesrvAddr(nameServer);
    producer.setTransactionListener(new TransactionListener() {
      public LocalTransactionState executeLocalTransaction(Message message, Object takesMs) {
        try {
          Thread.sleep((long) takesMs);
        } catch (InterruptedException ended) {
          return LocalTransactionState.UNKNOW;
        }
        done.add(message.getKeys());
        return LocalTransactionState.COMMIT_MESSAGE;
      }

      public LocalTransactionState checkLocalTransaction(MessageExt message) {
        return done.contains(message.getKeys()) ? LocalTransactionState.COMMIT_MESSAGE : LocalTransactionState.UNKNOW;
      }
    });
    producer.start();
    List<Future<?>> all = new ArrayList<>();
    for (int index = 0; index < COUNT; index++) {
      Message message = new Message(topic, "", String.valueOf(index), "x".getBytes());
      long takesMs = shortestMs + index * 20L;
      all.add(work.submit(() -> producer.sendMessageInTransaction(message, takesMs)));
      Thread.sleep(100);
    }
    for (Future<?> one : all) one.get();
    // Some checks of what may be open.
    Thread.sleep(75_000);
    DefaultMQAdminExt admin = new DefaultMQAdminExt();
    admin.setNamesrvAddr(nameServer);
    admin.setInstanceName(topic + "-admin");
    admin.start();
    long stored = admin.examineTopicStats(topic).getOffsetTable().values().stream().mapToLong(queue -> queue.getMaxOffset() - queue.getMinOffset()).sum();
    System.out.println(COUNT + " " + stored);
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

port=23990
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
for topic in quick slow; do admin updateTopic -t "$topic" -r 4 -w 4 -a +message.type=TRANSACTION; done

stored() { java "${JVM[@]}" -cp "$classes" "$folder/Slow.java" "$port" "$1" "$2" 2>/dev/null | tail -1; }
read -r sent quick <<<"$(stored quick 100)"
echo "local transactions of 0.1 s: $sent committed, $quick messages stored"
read -r sent slow <<<"$(stored slow 40000)"
echo "local transactions of 40 s: $sent committed, $slow messages stored"
[ "$quick" = "$sent" ] && [ "$slow" = $((2 * sent)) ]
