#!/usr/bin/env bash
# Apache RocketMQ 5.5.0, broker (org.apache.rocketmq:rocketmq-broker on Maven Central).
#
# Guessed: a longer `transactionMetricFlushInterval` (10 s by default) lets the thread that writes down the metrics of transactions
#   (TransactionMetricsFlushService) work less often.
# Seen: until that interval has passed for the first time, the thread does not sleep but looks at the clock, and takes whatever the core gives:
#   ten seconds after each start by default, and an hour with an interval of an hour. It is idle after that, and from the start with an interval of 200 ms.
#   5.3.3 and 5.4.0 have the same class; 5.1.4 does not.
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

cat >"$folder/pom.xml" <<'POM'
<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.rocketmq</groupId><artifactId>rocketmq-broker</artifactId><version>5.5.0</version></dependency>
</dependencies></project>
POM
mvn -q -B -f "$folder/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies "-DoutputDirectory=$folder/jars"

ready() {
  for _ in $(seq 120); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
    sleep 0.5
  done
  echo "nothing listens on port $1" >&2
  exit 1
}

# busy PID: over two seconds. An idle thread takes 1 or 2 hundredths of a second then; a busy one 200, or what the machine gives it.
busy() {
  local before after
  before=$(ticks "$1")
  sleep 2
  after=$(ticks "$1")
  if [ "$((after - before))" -gt 40 ]; then echo busy; else echo idle; fi
}

# The CPU time of the thread, in hundredths of a second. Its name is TransactionFlushService, of which Linux keeps 15 characters.
ticks() {
  local sum=0 task
  for task in "/proc/$1/task/"*; do
    if [[ $(<"$task/comm") == TransactionFlus* ]]; then sum=$((sum + $(awk '{ print $14 + $15 }' "$task/stat"))); fi
  done
  echo "$sum"
}

# start_and_look PORT INTERVAL_MS: after the start, and 20 s later.
start_and_look() {
  local port=$1 run broker early late
  run=$(mktemp -d "$folder/run.XXXX")
  printf '%s\n' brokerName=a brokerId=0 "listenPort=$port" brokerIP1=127.0.0.1 "storePathRootDir=$run/store" \
    "storePathCommitLog=$run/store/commitlog" mappedFileSizeCommitLog=67108864 mappedFileSizeConsumeQueue=1200000 diskMaxUsedSpaceRatio=98 \
    "transactionMetricFlushInterval=$2" >"$run/broker.conf"
  ROCKETMQ_HOME=$run java "${JVM[@]}" -cp "$folder/jars/*" org.apache.rocketmq.broker.BrokerStartup -c "$run/broker.conf" >/dev/null 2>&1 &
  broker=$!
  pids+=("$broker")
  ready "$port"
  # Its threads start after its port is open.
  sleep 2
  early=$(busy "$broker")
  sleep 20
  late=$(busy "$broker")
  kill -9 "$broker"
  echo "$early, then $late"
}

default=$(start_and_look 23910 10000)
longer=$(start_and_look 23930 3600000)
shorter=$(start_and_look 23950 200)
echo "10 s, its default: $default"
echo "an hour: $longer"
echo "200 ms: $shorter"
[ "$default / $longer / $shorter" = "busy, then idle / busy, then busy / idle, then idle" ]
