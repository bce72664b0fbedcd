// What the embedded broker and its cluster are called, in routes, recall handles, answers and metrics.

/** The name of the broker. */
export const BROKER_NAME = 'embedded';
/** The name of the cluster: the real server's default. */
export const CLUSTER_NAME = 'DefaultCluster';

/** The release of Apache RocketMQ that this broker behaves like, and the number by which programs name it. @see MQVersion of the server */
export const RELEASE = { name: 'V5_5_0', number: 513 } as const;
