// What a real server for development and tests is configured with: small files, quick checks, every feature on.

/** The ports of one server. The broker takes `broker - 2` and `broker + 1` as well. */
export interface Ports {
  grpc: number;
  remoting: number;
  nameServer: number;
  broker: number;
}

const OPENED_PACKAGES = ['java.nio', 'sun.nio.ch', 'java.lang', 'java.util'];

/**
 * With its own sizes, a name server of 4.1.0 took 7 KB each 200 ms from its broker on the loopback interface, whose packets are larger than the window:
 * new topics had no route for minutes.
 */
const BUFFERS = ['sndbuf', 'rcvbuf'].map((name) => `-Dcom.rocketmq.remoting.socket.${name}.size=${1024 * 1024}`);

/** Flags without which the server does not run on Java 17, or not well. */
export const JVM_FLAGS = [
  '--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED',
  ...OPENED_PACKAGES.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
  ...BUFFERS,
];

/** For what is started often, lives short or does little: less time goes into compiling than it would win by it. */
export const QUICK_START = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];

/** What a server shows to clients that speak TLS; files in PEM, the key an RSA key, which every version of the server reads. */
export interface Certificate {
  keyFile: string;
  certFile: string;
}

/** What a secured server asks of its clients: a signature of a known user. */
export interface Security {
  /** With it, TLS as well; without it, plaintext is accepted. */
  certificate?: Certificate;
  /** The user that exists from the start and may do all. */
  administrator: { accessKey: string; secretKey: string };
}

/**
 * Flags that make the ports of a process speak TLS: only, or besides plaintext as each does by itself. Without a file, a process makes RSA keys at its start,
 * which takes two seconds of CPU.
 */
export function tlsFlags({ keyFile, certFile }: Certificate, mode: 'enforcing' | 'permissive'): string[] {
  return [
    `-Dtls.server.mode=${mode}`,
    '-Dtls.test.mode.enable=false',
    `-Dtls.server.keyPath=${keyFile}`,
    `-Dtls.server.certPath=${certFile}`,
  ];
}

/** ACL 2.0: the broker stores users and permissions; the proxy asks the broker. */
function accessControl({ administrator }: Security, part: 'broker' | 'proxy') {
  const { accessKey, secretKey } = administrator;
  const auth = 'org.apache.rocketmq.auth';
  const keeper = (what: string) => {
    const name = `${what.charAt(0).toUpperCase()}${what.slice(1)}MetadataProvider`;
    return part === 'broker' ? `${auth}.${what}.provider.Local${name}` : `org.apache.rocketmq.proxy.auth.Proxy${name}`;
  };
  return {
    authenticationEnabled: true,
    authenticationProvider: `${auth}.authentication.provider.DefaultAuthenticationProvider`,
    authenticationMetadataProvider: keeper('authentication'),
    authorizationEnabled: true,
    authorizationProvider: `${auth}.authorization.provider.DefaultAuthorizationProvider`,
    authorizationMetadataProvider: keeper('authorization'),
    innerClientAuthenticationCredentials: JSON.stringify({ accessKey, secretKey }),
    ...(part === 'broker'
      ? { initAuthenticationUser: JSON.stringify({ username: accessKey, password: secretKey }) }
      : {}),
  };
}

/** The text of a configuration file of Java. */
export function propertiesOf(settings: Record<string, unknown>): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

/**
 * The users of ACL 1.0, which releases before 5.3.0 have. The broker reads the file, and adds users to it that administrators declare.
 */
export function plainAcl({ administrator: { accessKey, secretKey } }: Security): string {
  const lines = ['globalWhiteRemoteAddresses: []', 'accounts:', `  - accessKey: ${accessKey}`];
  return [...lines, `    secretKey: ${secretKey}`, '    whiteRemoteAddress:', '    admin: true', ''].join('\n');
}

/** Logs of the server go to its own files; this sends the rest nowhere. */
export const LOGBACK = '<configuration><root level="WARN"/></configuration>\n';

/**
 * @param member of a cluster with several
 * brokers or name servers; `hasPlainAcl` for a release with ACL 1.0
 */
export function brokerConf(
  runFolder: string,
  ports: Ports,
  security?: Security,
  {
    name = 'broker-a',
    store = 'store',
    nameServers = [ports.nameServer],
    hasPlainAcl = false,
  }: { name?: string; store?: string; nameServers?: readonly number[]; hasPlainAcl?: boolean } = {},
): string {
  const access = security === undefined ? {} : hasPlainAcl ? { aclEnable: true } : accessControl(security, 'broker');
  // On a small machine, a broker that rejects what has waited, or what comes during a slow write, would fail what is tested. The settings
  // whose names begin with `transactionOp` and `transactionMetric`: a broker 5.5.0 that has ended a transaction keeps a core busy without the
  // former, and one of 5.3.3 to 5.5.0 does for 10 s after each start without the latter (see the deployment guide).
  return `brokerClusterName=DefaultCluster
brokerName=${name}
brokerId=0
brokerRole=ASYNC_MASTER
brokerIP1=127.0.0.1
brokerIP2=127.0.0.1
listenPort=${ports.broker}
# Releases that do not know it listen on all interfaces.
bindAddress=127.0.0.1
namesrvAddr=${nameServers.map((port) => `127.0.0.1:${port}`).join(';')}
autoCreateTopicEnable=true
storePathRootDir=${runFolder}/${store}
storePathCommitLog=${runFolder}/${store}/commitlog
mappedFileSizeCommitLog=67108864
mappedFileSizeConsumeQueue=1200000
# Releases up to 4.7 spell them so.
mapedFileSizeCommitLog=67108864
mapedFileSizeConsumeQueue=1200000
maxMessageSize=4194304
flushDiskType=ASYNC_FLUSH
diskMaxUsedSpaceRatio=98
timerWheelEnable=true
registerNameServerPeriod=10000
brokerFastFailureEnable=false
# 4.1.0 does not know the former setting.
waitTimeMillsInSendQueue=10000
osPageCacheBusyTimeOutMills=10000
transactionCheckInterval=2000
transactionTimeOut=6000
transactionCheckMax=60
transactionMetricFlushInterval=200
transactionOpBatchInterval=2147483647
transactionOpMsgMaxSize=1
enablePropertyFilter=true
recallMessageEnable=true
${propertiesOf(access)}`;
}

export function proxyJson(ports: Ports, certificate: Certificate | undefined, security?: Security): string {
  const settings = {
    rocketMQClusterName: 'DefaultCluster',
    namesrvAddr: `127.0.0.1:${ports.nameServer}`,
    grpcServerPort: ports.grpc,
    remotingListenPort: ports.remoting,
    ...(certificate && {
      tlsTestModeEnable: false,
      tlsKeyPath: certificate.keyFile,
      tlsCertPath: certificate.certFile,
    }),
    ...(security === undefined
      ? {}
      : {
          ...accessControl(security, 'proxy'),
          // More than the broker's own limit, 3 days: test/secured sends delays beyond either.
          maxDelayTimeMills: 4 * 24 * 3_600_000,
        }),
  };
  return `${JSON.stringify(settings, undefined, 2)}\n`;
}
