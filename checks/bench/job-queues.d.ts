// What the workloads use of the job queues, which are installed by `npm run check bench` only.

declare module 'graphile-worker' {
  export class Logger {
    constructor(factory: () => () => void);
  }
  interface WorkerUtils {
    migrate(): Promise<void>;
    addJobs(jobs: readonly { identifier: string; payload: object; runAt: Date }[]): Promise<unknown>;
  }
  interface Shared {
    pgPool: import('pg').Pool;
    logger: Logger;
  }
  export function makeWorkerUtils(options: Shared): Promise<WorkerUtils>;
  export function run(
    options: Shared & {
      concurrency: number;
      noHandleSignals: boolean;
      taskList: Readonly<Record<string, (payload: unknown) => unknown>>;
    },
  ): Promise<unknown>;
}

declare module 'pg-boss' {
  interface Executor {
    executeSql(text: string, values: unknown[]): Promise<unknown>;
  }
  export class PgBoss {
    constructor(connectionString: string);
    start(): Promise<unknown>;
    createQueue(name: string): Promise<unknown>;
    send(name: string, data: object, options: { db: Executor }): Promise<unknown>;
    insert(name: string, jobs: readonly { data: object; startAfter: Date }[]): Promise<unknown>;
    work(
      name: string,
      options: { batchSize: number; pollingIntervalSeconds: number; burstWhenBatchFull: boolean },
      handler: (jobs: { data: { body: string } }[]) => Promise<unknown>,
    ): Promise<unknown>;
  }
}
