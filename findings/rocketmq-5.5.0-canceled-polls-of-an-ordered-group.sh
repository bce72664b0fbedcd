#!/usr/bin/env bash
# Apache RocketMQ 5.5.0, proxy in local mode (org.apache.rocketmq:rocketmq-proxy on Maven Central), an ordered consumer group.
#
# Guessed: a receive call that its client cancels is over on the server, too: the message that is sent next is delivered to the next
#   receive call for the first time, with delivery attempt 1. At most one attempt is lost, to a poll that was about to be answered.
# Seen: the server holds the canceled polls until their long-polling time ends, and gives the message to one after the other, for about a
#   second each. Behind eight canceled polls it arrives several seconds late, with an attempt of 4 or more; a group allows 17 by default, and
#   the next attempt moves it to the dead letters. Without canceled polls it arrives with attempt 1.
#
# Needs a JDK of 17 or newer, Maven and Linux. Takes about a minute, without the downloads.

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

cat >"$folder/Polls.java" <<'JAVA'
import apache.rocketmq.v2.*;
import com.google.protobuf.ByteString;
import com.google.protobuf.Duration;
import io.grpc.*;
import io.grpc.stub.*;
import java.util.*;
import java.util.concurrent.*;

/** A client that speaks to a proxy with the generated stubs, and nothing else. */
public class Polls {
  static final Metadata.Key<String> ID = Metadata.Key.of("x-mq-client-id", Metadata.ASCII_STRING_MARSHALLER);
  static final Metadata.Key<String> LANGUAGE = Metadata.Key.of("x-mq-language", Metadata.ASCII_STRING_MARSHALLER);
  static final Metadata.Key<String> VERSION = Metadata.Key.of("x-mq-client-version", Metadata.ASCII_STRING_MARSHALLER);
  static final Metadata.Key<String> PROTOCOL = Metadata.Key.of("x-mq-protocol", Metadata.ASCII_STRING_MARSHALLER);

  final ManagedChannel channel;
  final Channel named;

  Polls(int port, Settings settings) throws Exception {
    channel = ManagedChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
    Metadata headers = new Metadata();
    headers.put(ID, UUID.randomUUID().toString());
    headers.put(LANGUAGE, "JAVA");
    headers.put(VERSION, "5.0.7");
    headers.put(PROTOCOL, "v2");
    named = ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(headers));
    CountDownLatch synced = new CountDownLatch(1);
    StreamObserver<TelemetryCommand> stream = MessagingServiceGrpc.newStub(named).telemetry(new StreamObserver<>() {
      public void onNext(TelemetryCommand command) { synced.countDown(); }
      public void onError(Throwable failure) {}
      public void onCompleted() {}
    });
    stream.onNext(TelemetryCommand.newBuilder().setSettings(settings).build());
    if (!synced.await(10, TimeUnit.SECONDS)) throw new IllegalStateException("no settings");
  }

  static Resource named(String name) { return Resource.newBuilder().setName(name).build(); }

  static Settings consumerOf(String topic, String group) {
    SubscriptionEntry entry = SubscriptionEntry.newBuilder().setTopic(named(topic))
      .setExpression(FilterExpression.newBuilder().setType(FilterType.TAG).setExpression("*")).build();
    return Settings.newBuilder().setClientType(ClientType.PUSH_CONSUMER)
      .setSubscription(Subscription.newBuilder().setGroup(named(group)).addSubscriptions(entry)).build();
  }

  /** Opens a poll; what it brings goes to `brought`. */
  ClientCall<ReceiveMessageRequest, ReceiveMessageResponse> poll(String topic, String group, BlockingQueue<Message> brought) {
    var call = named.newCall(MessagingServiceGrpc.getReceiveMessageMethod(), CallOptions.DEFAULT.withDeadlineAfter(40, TimeUnit.SECONDS));
    ReceiveMessageRequest request = ReceiveMessageRequest.newBuilder().setGroup(named(group))
      .setMessageQueue(MessageQueue.newBuilder().setTopic(named(topic)).setId(-1).setBroker(Broker.newBuilder().setName("a")))
      .setFilterExpression(FilterExpression.newBuilder().setType(FilterType.TAG).setExpression("*"))
      .setBatchSize(1).setInvisibleDuration(Duration.newBuilder().setSeconds(30)).setAutoRenew(false)
      .setLongPollingTimeout(Duration.newBuilder().setSeconds(20)).setAttemptId(UUID.randomUUID().toString()).build();
    ClientCalls.asyncServerStreamingCall(call, request, new StreamObserver<ReceiveMessageResponse>() {
      public void onNext(ReceiveMessageResponse answer) { if (answer.hasMessage()) brought.add(answer.getMessage()); }
      public void onError(Throwable failure) {}
      public void onCompleted() {}
    });
    return call;
  }

  /** Cancels so many polls, sends a message, and returns the attempt with which the next consumer receives it. */
  static int attemptBehind(int canceled, int port, String topic, String group) throws Exception {
    Settings consumer = consumerOf(topic, group);
    Polls first = new Polls(port, consumer);
    BlockingQueue<Message> taken = new LinkedBlockingQueue<>();
    var open = new ArrayList<ClientCall<?, ?>>();
    for (int i = 0; i < canceled; i++) open.add(first.poll(topic, group, taken));
    Thread.sleep(3000);
    for (var call : open) call.cancel("closing", null);
    Thread.sleep(500);
    first.channel.shutdownNow();
    Settings producer = Settings.newBuilder().setClientType(ClientType.PRODUCER)
      .setPublishing(Publishing.newBuilder().addTopics(named(topic))).build();
    Polls sender = new Polls(port, producer);
    Message message = Message.newBuilder().setTopic(named(topic)).setBody(ByteString.copyFromUtf8("paid"))
      .setSystemProperties(SystemProperties.newBuilder().setMessageId(UUID.randomUUID().toString().replace("-", "").toUpperCase())
        .setMessageGroup("order 1").setMessageType(MessageType.FIFO).setBornHost("here")).build();
    var sent = MessagingServiceGrpc.newBlockingStub(sender.named).sendMessage(SendMessageRequest.newBuilder().addMessages(message).build());
    if (sent.getStatus().getCode() != Code.OK) throw new IllegalStateException(sent.getStatus().toString());
    long sentAt = System.nanoTime();
    sender.channel.shutdownNow();
    Polls second = new Polls(port, consumer);
    BlockingQueue<Message> brought = new LinkedBlockingQueue<>();
    Message arrived = null;
    for (int tries = 0; arrived == null && tries < 4; tries++) {
      second.poll(topic, group, brought);
      arrived = brought.poll(20, TimeUnit.SECONDS);
    }
    if (arrived == null) throw new IllegalStateException("nothing came");
    SystemProperties properties = arrived.getSystemProperties();
    System.err.printf("%d canceled polls: attempt %d, after %.1f s%n", canceled, properties.getDeliveryAttempt(), (System.nanoTime() - sentAt) / 1e9);
    MessagingServiceGrpc.newBlockingStub(second.named).ackMessage(AckMessageRequest.newBuilder().setGroup(named(group)).setTopic(named(topic))
      .addEntries(AckMessageEntry.newBuilder().setMessageId(properties.getMessageId()).setReceiptHandle(properties.getReceiptHandle())).build());
    second.channel.shutdownNow();
    return properties.getDeliveryAttempt();
  }

  public static void main(String[] arguments) throws Exception {
    int port = Integer.parseInt(arguments[0]);
    System.out.println(attemptBehind(0, port, "steps", "none") + " " + attemptBehind(8, port, "others", "eight"));
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

port=23910
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
# One queue: the message is at the head of the only one.
for topic in steps others; do admin updateTopic -t "$topic" -r 1 -w 1 -a +message.type=FIFO; done
for group in none eight; do admin updateSubGroup -g "$group" -o true; done

read -r free behind <<<"$(java "${JVM[@]}" -cp "$classes" "$folder/Polls.java" "$((port + 20))")"
echo "no canceled poll: attempt $free"
echo "eight canceled polls: attempt $behind"
[ "$free" -eq 1 ] && [ "$behind" -ge 4 ]
