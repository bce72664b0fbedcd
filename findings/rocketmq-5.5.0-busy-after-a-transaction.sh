#!/usr/bin/env bash
# Apache RocketMQ 5.5.0, broker (org.apache.rocketmq:rocketmq-broker on Maven Central), its default settings for transactions.
#
# Guessed: the thread that writes down the ends of transactions sleeps while there are none, as it does in 5.3.3.
# Seen: once a broker has ended one transaction, that thread never sleeps again: it takes whatever the core gives. The time at which it wakes is
#   the last write plus `transactionOpBatchInterval` (3 s), also for queues with nothing to write, so it has always passed already.
#   With `transactionOpBatchInterval=2147483647` and `transactionOpMsgMaxSize=1` each end is written at once, and the thread sleeps.
#
# Needs a JDK of 17 or newer, Maven and Linux (it reads the CPU time of threads). Takes about two minutes, without the downloads.

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

cat >"$folder/Transactions.java" <<'JAVA'
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

public class Transactions {
  public static void main(String[] arguments) throws Exception {
    TransactionMQProducer producer = new TransactionMQProducer("one-transaction");
    producer.setNamesrvAddr(arguments[0]);
    producer.setTransactionListener(new TransactionListener() {
      public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
        return LocalTransactionState.COMMIT_MESSAGE;
      }
      public LocalTransactionState checkLocalTransaction(MessageExt message) {
        return LocalTransactionState.COMMIT_MESSAGE;
      }
    });
    producer.start();
    for (int tries = 0; ; tries++) {
      try {
        System.out.println(producer.sendMessageInTransaction(new Message("paid", "x".getBytes()), null).getSendStatus());
        break;
      } catch (Exception failure) {
        if (tries == 30) throw failure;
        Thread.sleep(1000);
      }
    }
    producer.shutdown();
  }
}
JAVA

jars() {
  mkdir -p "$folder/$1"
  cat >"$folder/$1/pom.xml" <<POM
<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-namesrv</artifactId><version>$1</version></dependency>
<dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-broker</artifactId><version>$1</version></dependency>
<dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-client</artifactId><version>$1</version></dependency>
</dependencies></project>
POM
  mvn -q -B -f "$folder/$1/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies "-DoutputDirectory=$folder/$1/jars"
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
ready() {
  for _ in $(seq 120); do
    if answers "$1"; then return; fi
    sleep 0.5
  done
  echo "nothing listens on port $1" >&2
  exit 1
}

# The CPU time of the thread, in hundredths of a second.
ticks() {
  local sum=0 task
  for task in "/proc/$1/task/"*; do
    if [[ $(<"$task/comm") == TransactionalOp* ]]; then sum=$((sum + $(awk '{ print $14 + $15 }' "$task/stat"))); fi
  done
  echo "$sum"
}

# busy VERSION PORT SETTING...: whether the thread is busy ten seconds after the only transaction.
busy() {
  local version=$1 port=$2 run classes before after
  shift 2
  run=$(mktemp -d "$folder/run.XXXX")
  classes="$folder/$version/jars/*"
  mkdir -p "$run/conf"
  echo '<configuration><root level="ERROR"/></configuration>' | tee "$run/conf/logback_namesrv.xml" >"$run/conf/logback_broker.xml"
  echo "listenPort=$port" >"$run/name-server.conf"
  printf '%s\n' brokerName=a brokerId=0 "listenPort=$((port + 10))" "namesrvAddr=127.0.0.1:$port" brokerIP1=127.0.0.1 \
    "storePathRootDir=$run/store" "storePathCommitLog=$run/store/commitlog" mappedFileSizeCommitLog=67108864 \
    mappedFileSizeConsumeQueue=1200000 diskMaxUsedSpaceRatio=98 "$@" >"$run/broker.conf"
  ROCKETMQ_HOME=$run java "${JVM[@]}" -cp "$classes" org.apache.rocketmq.namesrv.NamesrvStartup -c "$run/name-server.conf" >/dev/null 2>&1 &
  local name_server=$!
  pids+=("$name_server")
  ready "$port"
  ROCKETMQ_HOME=$run java "${JVM[@]}" -cp "$classes" org.apache.rocketmq.broker.BrokerStartup -c "$run/broker.conf" >/dev/null 2>&1 &
  local broker=$!
  pids+=("$broker")
  ready "$((port + 10))"
  java "${JVM[@]}" -cp "$classes" "$folder/Transactions.java" "127.0.0.1:$port" 2>/dev/null | grep -q SEND_OK
  sleep 10
  before=$(ticks "$broker")
  sleep 5
  after=$(ticks "$broker")
  kill -9 "$broker" "$name_server"
  # A sleeping thread takes 1 or 2 hundredths of a second; a busy one 500, or what the machine gives it.
  if [ "$((after - before))" -gt 100 ]; then echo busy; else echo asleep; fi
}

jars 5.3.3
jars 5.5.0
old=$(busy 5.3.3 23810)
new=$(busy 5.5.0 23840)
set_otherwise=$(busy 5.5.0 23870 transactionOpBatchInterval=2147483647 transactionOpMsgMaxSize=1)
echo "5.3.3, its defaults: $old"
echo "5.5.0, its defaults: $new"
echo "5.5.0, with both settings: $set_otherwise"
[ "$old $new $set_otherwise" = "asleep busy asleep" ]
