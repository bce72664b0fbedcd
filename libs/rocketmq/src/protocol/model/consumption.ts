// How a consumer receives where there is no proxy.

/**
 * How a consumer receives. `pop`: as the brokers can, by POP where they have it. `pull`: its group divides the queues among its consumers, as clients of 4.x
 * do. `broadcast`: it pulls every message that is sent while it runs.
 */
export type Consumption = 'pop' | 'pull' | 'broadcast';
