#!/usr/bin/env bash
# Apache RocketMQ 5.5.0, proxy in local mode (org.apache.rocketmq:rocketmq-proxy on Maven Central), an ordinary consumer group, the Java client of 5.5.0.
#
# Guessed: a message that the broker has stored, and that its consumer does not acknowledge, is delivered to the group again when its invisible time is over.
# Seen: one whose properties nearly fill what a broker accepts (32,767 bytes) never is. For the next delivery the broker stores a copy with more properties, which
#   is too long, and drops the message with a warning in its log ("putMessage message properties length too long"). With 1,000 bytes less it is delivered again.
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
<dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-proxy</artifactId><version>5.5.0</version></dependency>
<dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-namesrv</artifactId><version>5.5.0</version></dependency>
<dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-tools</artifactId><version>5.5.0</version></dependency>
</dependencies></project>
POM
mvn -q -B -f "$folder/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies "-DoutputDirectory=$folder/jars"

cat >"$folder/Full.java" <<'JAVA'
import apache.rocketmq.v2.*;
import com.google.protobuf.Duration;
import io.grpc.*;
import io.grpc.stub.*;
import java.util.*;
import java.util.concurrent.*;
import org.apache.rocketmq.client.producer.*;
import org.apache.rocketmq.common.message.Message;

/** Sends with the client of the server, and receives with the generated stubs. */
public class Full {
  static Channel consumerOf(ManagedChannel channel, String topic, String group) throws Exception {
    Metadata headers = new Metadata();
    for (var header : Map.of("x-mq-client-id", UUID.randomUUID().toString(), "x-mq-language", "JAVA", "x-mq-client-version", "5.0.7", "x-mq-protocol", "v2").entrySet())
      headers.put(Metadata.Key.of(header.getKey(), Metadata.ASCII_STRING_MARSHALLER), header.getValue());
    Channel named = ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(headers));
    CountDownLatch synced = new CountDownLatch(1);
    StreamObserver<TelemetryCommand> stream = MessagingServiceGrpc.newStub(named).telemetry(new StreamObserver<>() {
      public void onNext(TelemetryCommand command) { synced.countDown(); }
      public void onError(Throwable failure) {}
      public void onCompleted() {}
    });
    SubscriptionEntry entry = SubscriptionEntry.newBuilder().setTopic(named(topic)).setExpression(all()).build();
    Subscription subscription = Subscription.newBuilder().setGroup(named(group)).addSubscriptions(entry).build();
    Settings settings = Settings.newBuilder().setClientType(ClientType.SIMPLE_CONSUMER).setSubscription(subscription).build();
    stream.onNext(TelemetryCommand.newBuilder().setSettings(settings).build());
    if (!synced.await(10, TimeUnit.SECONDS)) throw new IllegalStateException("no settings");
    return named;
  }

  static Resource named(String name) { return Resource.newBuilder().setName(name).build(); }

  static FilterExpression all() { return FilterExpression.newBuilder().setType(FilterType.TAG).setExpression("*").build(); }

  /** The bodies that come to the group within a time, as often as they come; nothing is acknowledged. */
  static List<String> received(Channel consumer, String topic, String group, int seconds) {
    List<String> bodies = new ArrayList<>();
    ReceiveMessageRequest request = ReceiveMessageRequest.newBuilder().setGroup(named(group))
      .setMessageQueue(MessageQueue.newBuilder().setTopic(named(topic)).setId(-1).setBroker(Broker.newBuilder().setName("a")))
      .setFilterExpression(all()).setBatchSize(8).setInvisibleDuration(Duration.newBuilder().setSeconds(10)).setAutoRenew(false)
      .setLongPollingTimeout(Duration.newBuilder().setSeconds(5)).build();
    for (long end = System.nanoTime() + seconds * 1_000_000_000L; System.nanoTime() < end; ) {
      var answers = MessagingServiceGrpc.newBlockingStub(consumer).withDeadlineAfter(15, TimeUnit.SECONDS).receiveMessage(request);
      while (answers.hasNext()) {
        ReceiveMessageResponse answer = answers.next();
        if (answer.hasMessage()) bodies.add(answer.getMessage().getBody().toStringUtf8());
      }
    }
    return bodies;
  }

  public static void main(String[] arguments) throws Exception {
    int nameServer = Integer.parseInt(arguments[0]);
    String topic = arguments[1], group = arguments[2];
    ManagedChannel channel = ManagedChannelBuilder.forAddress("127.0.0.1", nameServer + 20).usePlaintext().build();
    Channel consumer = consumerOf(channel, topic, group);
    DefaultMQProducer producer = new DefaultMQProducer("senders");
    producer.setNamesrvAddr("127.0.0.1:" + nameServer);
    producer.start();
    // The largest property that the broker accepts, beside those that client and broker add.
    int size = 32_767;
    for (boolean isStored = false; !isStored; size -= isStored ? 0 : 1) {
      Message full = new Message(topic, "full".getBytes());
      full.putUserProperty("big", "x".repeat(size));
      try {
        isStored = producer.send(full).getSendStatus() == SendStatus.SEND_OK;
      } catch (org.apache.rocketmq.client.exception.MQBrokerException refused) {
        isStored = false;
      }
    }
    Message less = new Message(topic, "less".getBytes());
    less.putUserProperty("big", "x".repeat(size - 1_000));
    producer.send(less);
    producer.shutdown();
    List<String> first = received(consumer, topic, group, 6);
    List<String> later = received(consumer, topic, group, 50);
    System.err.printf("a property of %d characters was stored; received within 6 s: %s; later: %s%n", size, first, later);
    System.out.println(Collections.frequency(first, "full") + " " + Collections.frequency(later, "full") + " " + Collections.frequency(first, "less") + " " + (later.contains("less") ? 1 : 0));
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

port=23950
mkdir -p "$folder/conf"
echo '<configuration><root level="ERROR"/></configuration>' | tee "$folder/conf/logback_namesrv.xml" "$folder/conf/rmq.proxy.logback.xml" >"$folder/conf/rmq.broker.logback.xml"
echo "listenPort=$port" >"$folder/name-server.conf"
printf '%s\n' brokerName=a brokerId=0 brokerClusterName=c "listenPort=$((port + 10))" "namesrvAddr=127.0.0.1:$port" brokerIP1=127.0.0.1 \
  "storePathRootDir=$folder/store" "storePathCommitLog=$folder/store/commitlog" mappedFileSizeCommitLog=67108864 \
  mappedFileSizeConsumeQueue=1200000 diskMaxUsedSpaceRatio=98 >"$folder/broker.conf"
echo "{\"rocketMQClusterName\":\"c\",\"namesrvAddr\":\"127.0.0.1:$port\",\"grpcServerPort\":$((port + 20)),\"remotingListenPort\":$((port + 21))}" \
  >"$folder/conf/rmq-proxy.json"
export ROCKETMQ_HOME=$folder
classes="$folder/jars/*"
java "${JVM[@]}" -cp "$classes" org.apache.rocketmq.namesrv.NamesrvStartup -c "$folder/name-server.conf" >/dev/null 2>&1 &
pids+=($!)
ready "$port"
java "${JVM[@]}" -cp "$classes" org.apache.rocketmq.proxy.ProxyStartup -pm local -bc "$folder/broker.conf" -n "127.0.0.1:$port" >/dev/null 2>&1 &
pids+=($!)
ready "$((port + 20))"
admin() {
  for _ in $(seq 30); do
    if java "${JVM[@]}" -cp "$classes" org.apache.rocketmq.tools.command.MQAdminStartup "$@" -n "127.0.0.1:$port" -c c 2>/dev/null | grep -q success; then return; fi
    sleep 1
  done
  echo "mqadmin $1 did not succeed" >&2
  exit 1
}
admin updateTopic -t readings -r 1 -w 1 -a +message.type=NORMAL
admin updateSubGroup -g readers

read -r full_first full_later less_first less_later <<<"$(java "${JVM[@]}" -cp "$classes" "$folder/Full.java" "$port" readings readers)"
echo "nearly full of properties: delivered $full_first time, and $full_later times when its invisible time was over"
echo "1,000 bytes less: delivered $less_first time, and again: $less_later"
[ "$full_first $full_later $less_first $less_later" = "1 0 1 1" ]
