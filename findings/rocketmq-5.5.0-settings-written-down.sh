#!/usr/bin/env bash
# Apache RocketMQ 5.5.0, broker and mqadmin (org.apache.rocketmq:rocketmq-broker and rocketmq-tools on Maven Central).
#
# Guessed: `mqadmin updateBrokerConfig` changes the setting that it names, in the running broker and in its file, and nothing else.
# Seen: it replaces the file by one with all settings of the broker, the defaults included, and without the comments. From then on the file decides: defaults
#   that the broker computes from its processors stay those of the machine on which the change was made, and it has the defaults of that version as well when
#   another one is installed. With 2 processors `pullMessageThreadPoolNums` is 20, with 8 it is 32; after one change of `fileReservedTime` with 2, it is 20 with 8.
#
# What it means for an operator: write the setting into the file yourself, and put the short file back after each such command.
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

cat >"$folder/pom.xml" <<'POM'
<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-broker</artifactId><version>5.5.0</version></dependency>
<dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-tools</artifactId><version>5.5.0</version></dependency>
</dependencies></project>
POM
mvn -q -B -f "$folder/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies "-DoutputDirectory=$folder/jars"

port=24310
classes="$folder/jars/*"
export ROCKETMQ_HOME=$folder
mkdir -p "$folder/conf"
echo '<configuration><root level="ERROR"/></configuration>' >"$folder/conf/rmq.broker.logback.xml"
file=$folder/broker.conf
printf '%s\n' '# Ours, see the handbook.' brokerName=a brokerId=0 "listenPort=$port" brokerIP1=127.0.0.1 "storePathRootDir=$folder/store" \
  "storePathCommitLog=$folder/store/commitlog" mappedFileSizeCommitLog=67108864 mappedFileSizeConsumeQueue=1200000 diskMaxUsedSpaceRatio=98 >"$file"

# mqadmin ARGUMENT...: of the running broker. Nothing listens where the name server would.
mqadmin() {
  for _ in $(seq 30); do
    if java "${JVM[@]}" -cp "$classes" org.apache.rocketmq.tools.command.MQAdminStartup "$@" -b "127.0.0.1:$port" -n 127.0.0.1:24399 >"$folder/out" 2>/dev/null &&
      grep -qE 'success|brokerName' "$folder/out"; then return; fi
    sleep 1
  done
  echo "mqadmin $1 did not succeed" >&2
  exit 1
}
# start PROCESSORS
start() {
  java "${JVM[@]}" "-XX:ActiveProcessorCount=$1" -cp "$classes" org.apache.rocketmq.broker.BrokerStartup -c "$file" >/dev/null 2>&1 &
  broker=$!
  pids+=("$broker")
}
stop() {
  kill -9 "$broker"
  wait "$broker" 2>/dev/null || true
}
threads() {
  mqadmin getBrokerConfig
  sed -n 's/^pullMessageThreadPoolNums *= *//p' "$folder/out"
}
look() { echo "the file: $([ "$(grep -c = "$file")" -gt 300 ] && echo 'more than 300' || grep -c = "$file") settings, $(grep -c '^# Ours' "$file") comments"; }

{
  for processors in 2 8; do
    start "$processors"
    echo "$processors processors: $(threads)"
    stop
  done
  look
  start 2
  mqadmin updateBrokerConfig -k fileReservedTime -v 48
  stop
  echo "fileReservedTime changed with 2 processors"
  look
  start 8
  echo "8 processors: $(threads)"
  stop
} >"$folder/seen"
diff "$folder/seen" - <<'SEEN'
2 processors: 20
8 processors: 32
the file: 9 settings, 1 comments
fileReservedTime changed with 2 processors
the file: more than 300 settings, 0 comments
8 processors: 20
SEEN
cat "$folder/seen"
