// What a real server for development and tests is configured with: small files, quick checks, every feature on.

const OPENED_PACKAGES = ['java.nio', 'sun.nio.ch', 'java.lang', 'java.util'];

/** Flags without which the server does not run on Java 17. */
export const JVM_FLAGS = [
  '--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED',
  ...OPENED_PACKAGES.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
];

/**
 * @param {string} runFolder
 * @param {import('./rocketmq-server.mjs').Ports} ports
 */
export function brokerConf(runFolder, ports) {
  return `brokerClusterName=DefaultCluster
brokerName=broker-a
brokerId=0
brokerRole=ASYNC_MASTER
brokerIP1=127.0.0.1
listenPort=${ports.broker}
namesrvAddr=127.0.0.1:${ports.nameServer}
autoCreateTopicEnable=true
storePathRootDir=${runFolder}/store
storePathCommitLog=${runFolder}/store/commitlog
mappedFileSizeCommitLog=67108864
mappedFileSizeConsumeQueue=1200000
maxMessageSize=4194304
flushDiskType=ASYNC_FLUSH
diskMaxUsedSpaceRatio=98
timerWheelEnable=true
transactionCheckInterval=2000
transactionTimeOut=6000
transactionCheckMax=60
enablePropertyFilter=true
recallMessageEnable=true
`;
}

/** @param {import('./rocketmq-server.mjs').Ports} ports */
export function proxyJson(ports) {
  const settings = {
    rocketMQClusterName: 'DefaultCluster',
    namesrvAddr: `127.0.0.1:${ports.nameServer}`,
    grpcServerPort: ports.grpc,
    remotingListenPort: ports.remoting,
  };
  return `${JSON.stringify(settings, undefined, 2)}\n`;
}
