// What a real server for development and tests is configured with: small files, quick checks, every feature on.

const OPENED_PACKAGES = ['java.nio', 'sun.nio.ch', 'java.lang', 'java.util'];

/** Flags without which the server does not run on Java 17. */
export const JVM_FLAGS = [
  '--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED',
  ...OPENED_PACKAGES.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
];

/**
 * What a secured server asks of its clients: a signature of a known user, and TLS.
 * @typedef {object} Security
 * @property {{ accessKey: string, secretKey: string }} administrator the user that exists from the start and may do all
 * @property {string} keyFile the server's private key, PEM
 * @property {string} certFile the server's certificate, PEM
 */

/**
 * Flags that make the ports of a process speak TLS: only, or besides plaintext.
 * @param {Security | undefined} security
 * @param {'enforcing' | 'permissive'} [mode]
 */
export function tlsFlags(security, mode = 'enforcing') {
  if (security === undefined) return [];
  return [
    `-Dtls.server.mode=${mode}`,
    '-Dtls.test.mode.enable=false',
    `-Dtls.server.keyPath=${security.keyFile}`,
    `-Dtls.server.certPath=${security.certFile}`,
  ];
}

/**
 * ACL 2.0: the broker stores users and permissions; the proxy asks the broker.
 * @param {Security} security
 * @param {'broker' | 'proxy'} part
 */
function accessControl({ administrator }, part) {
  const { accessKey, secretKey } = administrator;
  const auth = 'org.apache.rocketmq.auth';
  const keeper = (/** @type {string} */ what) => {
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

/** The text of a configuration file of Java. @param {Record<string, unknown>} settings */
export function propertiesOf(settings) {
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

/**
 * The users of ACL 1.0, which releases before 5.3.0 have. The broker reads the file, and adds users to it that administrators declare.
 * @param {Security} security
 */
export function plainAcl({ administrator: { accessKey, secretKey } }) {
  const lines = ['globalWhiteRemoteAddresses: []', 'accounts:', `  - accessKey: ${accessKey}`];
  return [...lines, `    secretKey: ${secretKey}`, '    whiteRemoteAddress:', '    admin: true', ''].join('\n');
}

/** Logs of the server go to its own files; this sends the rest nowhere. */
export const LOGBACK = '<configuration><root level="WARN"/></configuration>\n';

/**
 * @param {string} runFolder
 * @param {import('./server.mjs').Ports} ports
 * @param {Security} [security]
 * @param {{ name?: string, store?: string, nameServers?: readonly number[], hasPlainAcl?: boolean }} [member] of a cluster with several
 *   brokers or name servers; `hasPlainAcl` for a release with ACL 1.0
 */
export function brokerConf(
  runFolder,
  ports,
  security,
  { name = 'broker-a', store = 'store', nameServers = [ports.nameServer], hasPlainAcl = false } = {},
) {
  const access = security === undefined ? {} : hasPlainAcl ? { aclEnable: true } : accessControl(security, 'broker');
  // On a small machine, a broker that refuses what has waited, or what comes during a slow write, would fail what is tested. The two
  // transactionOp settings: a broker 5.5.0 that has ended a transaction keeps a core busy without them (see the deployment guide).
  return `brokerClusterName=DefaultCluster
brokerName=${name}
brokerId=0
brokerRole=ASYNC_MASTER
brokerIP1=127.0.0.1
brokerIP2=127.0.0.1
listenPort=${ports.broker}
namesrvAddr=${nameServers.map((port) => `127.0.0.1:${port}`).join(';')}
autoCreateTopicEnable=true
storePathRootDir=${runFolder}/${store}
storePathCommitLog=${runFolder}/${store}/commitlog
mappedFileSizeCommitLog=67108864
mappedFileSizeConsumeQueue=1200000
maxMessageSize=4194304
flushDiskType=ASYNC_FLUSH
diskMaxUsedSpaceRatio=98
timerWheelEnable=true
registerNameServerPeriod=10000
brokerFastFailureEnable=false
osPageCacheBusyTimeOutMills=10000
transactionCheckInterval=2000
transactionTimeOut=6000
transactionCheckMax=60
transactionOpBatchInterval=2147483647
transactionOpMsgMaxSize=1
enablePropertyFilter=true
recallMessageEnable=true
${propertiesOf(access)}`;
}

/**
 * @param {import('./server.mjs').Ports} ports
 * @param {Security} [security]
 */
export function proxyJson(ports, security) {
  const settings = {
    rocketMQClusterName: 'DefaultCluster',
    namesrvAddr: `127.0.0.1:${ports.nameServer}`,
    grpcServerPort: ports.grpc,
    remotingListenPort: ports.remoting,
    ...(security === undefined
      ? {}
      : {
          ...accessControl(security, 'proxy'),
          tlsTestModeEnable: false,
          tlsKeyPath: security.keyFile,
          tlsCertPath: security.certFile,
          // More than the broker's own limit, 3 days: test/secured sends delays beyond either.
          maxDelayTimeMills: 4 * 24 * 3_600_000,
        }),
  };
  return `${JSON.stringify(settings, undefined, 2)}\n`;
}
