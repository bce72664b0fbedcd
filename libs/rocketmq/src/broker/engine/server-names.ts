// What the embedded broker and its cluster are called, in routes, recall handles, answers and metrics.

/** The name of the broker. */
export const BROKER_NAME = 'embedded';
/** The name of the cluster: the real server's default. */
export const CLUSTER_NAME = 'DefaultCluster';
