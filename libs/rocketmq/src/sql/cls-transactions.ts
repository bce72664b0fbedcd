// The transactions of `@nestjs-cls/transactional`: what runs in one finds it, without passing it on. Structurally typed, so that the package is
// not a dependency of this one.

import { AsyncLocalStorage } from 'node:async_hooks';
import { type LocalEnd, type TransactionRun, transactionHere } from '../producer/transactions/transaction-scope.js';
import { StateError, UsageError } from '../support/errors.js';
import type { SqlExecutor } from './sql-port.js';

/** `TransactionHost` of `@nestjs-cls/transactional`. */
export interface ClsTransactionHost {
  // biome-ignore lint/suspicious/noExplicitAny: `TransactionHost.getInstance()` does not know the adapter either
  getInstance(connectionName?: string): { readonly tx: any; isTransactionActive(): boolean };
}

/** The options of `ClsTransactions`. */
export interface ClsTransactionsOptions {
  /** The class `TransactionHost` of `@nestjs-cls/transactional`. */
  readonly host: ClsTransactionHost;
  /** The port of your library, such as `typeormExecutor`, or `(tx) => drizzleExecutor(tx, sql)`. */
  // biome-ignore lint/suspicious/noExplicitAny: the type of `tx` of the host
  readonly executor: (tx: any) => SqlExecutor;
  /** The `connectionName` of its `ClsPluginTransactional`. Default: the one without a name. */
  readonly connectionName?: string;
}

type Work = (...args: unknown[]) => Promise<unknown>;
type SetTx = (tx?: unknown) => void;

/** What an adapter makes of its connection. */
interface AdapterOptions {
  wrapWithTransaction(options: unknown, work: Work, setTx: SetTx): Promise<unknown>;
  wrapWithNestedTransaction?(options: unknown, work: Work, setTx: SetTx, tx: unknown): Promise<unknown>;
}

/** An adapter of `@nestjs-cls/transactional`, such as `TransactionalAdapterTypeOrm`. */
export interface ClsAdapter {
  // biome-ignore lint/suspicious/noExplicitAny: each adapter has its own connection and options
  readonly optionsFactory: (connection: any, extraProviders: any[]) => any;
}

/** A database transaction, or a savepoint in one. */
export interface DatabaseScope {
  /** Whether it, and what it is part of, has not ended. */
  readonly isRunning: boolean;
  /** Whether a savepoint that was begun around the local transaction was rolled back. */
  isUndoneAround(local: TransactionRun): boolean;
  /** Calls it when the whole transaction has ended; the code that began it waits for that. */
  onEnded(work: () => Promise<void>): void;
}

/**
 * Lets `TransactionLog`, `Outbox` and `Inbox` find the transaction of `@Transactional()`. Pass it to them as `transactions`. Create one for each
 * connection, and wrap the adapter of that connection.
 */
export class ClsTransactions {
  private readonly scopes = new AsyncLocalStorage<Scope>();
  private readonly recorded = new WeakMap<TransactionRun, Scope>();
  /** For errors. @internal */
  readonly connection: string;

  constructor(private readonly options: ClsTransactionsOptions) {
    const { connectionName } = options;
    this.connection = connectionName === undefined ? 'the default connection' : `the connection "${connectionName}"`;
  }

  /** Wraps the adapter: `new ClsPluginTransactional({ adapter: transactions.adapter(new TransactionalAdapterTypeOrm(…)) })`. */
  adapter<Adapter extends ClsAdapter>(adapter: Adapter): Adapter {
    const optionsFactory: ClsAdapter['optionsFactory'] = (connection, extraProviders) => {
      const inner = adapter.optionsFactory(connection, extraProviders) as AdapterOptions;
      const nested = inner.wrapWithNestedTransaction?.bind(inner);
      const wrapped: AdapterOptions = {
        ...inner,
        wrapWithTransaction: (options, work, setTx) =>
          this.run(new Scope(undefined, this.scopes.getStore()), work, (inside) =>
            inner.wrapWithTransaction(options, inside, setTx),
          ),
      };
      if (nested !== undefined) {
        wrapped.wrapWithNestedTransaction = (options, work, setTx, tx) =>
          this.run(new Scope(this.scopes.getStore(), undefined), work, (inside) => nested(options, inside, setTx, tx));
      }
      return wrapped;
    };
    // Everything else, lifecycle hooks included, stays that of the adapter.
    return Object.create(adapter, { optionsFactory: { value: optionsFactory, enumerable: true } }) as Adapter;
  }

  /**
   * The transaction of the running code; undefined outside of one.
   * @throws UsageError `ADAPTER_NOT_WRAPPED`; StateError `TRANSACTION_ENDED` in code that its method has not awaited
   */
  current(): SqlExecutor | undefined {
    const { host, connectionName, executor } = this.options;
    const instance = host.getInstance(connectionName);
    if (!instance.isTransactionActive()) return undefined;
    const scope = this.scopes.getStore();
    if (scope === undefined) {
      const text = `the transactions of ${this.connection} are not those of this ClsTransactions; pass transactions.adapter(adapter) to ClsPluginTransactional`;
      throw new UsageError('ADAPTER_NOT_WRAPPED', text, 'adapter');
    }
    if (!scope.isOpen) {
      const text =
        'the method of the @Transactional() that this code runs in has already ended, and the connection may have another transaction now; ' +
        'nothing was written; await all work that belongs to the method before it returns or throws';
      throw new StateError('TRANSACTION_ENDED', text);
    }
    return executor(instance.tx);
  }

  /**
   * Called before a row of the local transaction is written in the current transaction.
   * @internal
   */
  noteRecord(local: TransactionRun): DatabaseScope | undefined {
    const scope = this.scopes.getStore();
    if (scope !== undefined) this.recorded.set(local, scope.root);
    return scope;
  }

  /** Whether it is recorded in a transaction that was not rolled back. @internal */
  isRecorded(local: TransactionRun): boolean {
    const scope = this.recorded.get(local);
    return scope === undefined ? local.endFinder !== undefined : scope.state !== 'failed';
  }

  private async run(scope: Scope, work: Work, wrap: (inside: Work) => Promise<unknown>): Promise<unknown> {
    this.recordedBy(scope);
    let result: unknown;
    try {
      result = await wrap((...args) =>
        this.scopes.run(scope, async () => {
          try {
            const done = await work(...args);
            const local = this.recordedBy(scope);
            if (local !== undefined) await local.recorder?.complete(local);
            return done;
          } finally {
            scope.state = 'ending';
          }
        }),
      );
    } catch (error) {
      scope.state = 'failed';
      await scope.finish().catch(() => undefined);
      throw error;
    }
    scope.state = 'committed';
    await scope.finish();
    return result;
  }

  /**
   * The local transaction that is recorded at the end of this database transaction: the one around it, unless that has another one, around itself
   * or around this one.
   * @throws UsageError `SEVERAL_TRANSACTIONS`: of two, one can be committed and the other not, and the row is in one of them
   */
  private recordedBy(scope: Scope): TransactionRun | undefined {
    const { local } = scope;
    if (local === undefined || local.recorder?.transactions !== this || !scope.isOutermost) return undefined;
    if (this.aroundOf(local) !== undefined) return undefined;
    local.assertRunning();
    const recorded = this.recorded.get(local);
    if (recorded === undefined || recorded === scope || recorded.state === 'failed') return local;
    const text =
      'this local transaction was already recorded in another database transaction, so the message says nothing about this one, which is not ' +
      'committed; put both into one transaction: @Transactional() on the method with @TransactionalSend, below it';
    throw new UsageError('SEVERAL_TRANSACTIONS', text, '@Transactional');
  }

  /** @internal */
  deferralOf(local: TransactionRun): LocalEnd['defer'] {
    const around = this.aroundOf(local);
    return around === undefined ? undefined : (end) => around.onEnded(end);
  }

  /** The running transaction in which the local transaction began. */
  private aroundOf(local: TransactionRun): Scope | undefined {
    const { host, connectionName } = this.options;
    return local.outside(() => {
      const scope = this.scopes.getStore();
      return scope?.isRunning === true && host.getInstance(connectionName).isTransactionActive() ? scope : undefined;
    });
  }
}

/** The transaction of the running code. @throws UsageError `NO_TRANSACTION` */
export function demand(transactions: ClsTransactions | undefined): SqlExecutor {
  const tx = transactions?.current();
  if (tx !== undefined) return tx;
  const text =
    transactions === undefined
      ? 'no transaction was passed, and there is no option transactions by which it could be found; pass tx'
      : `no transaction of ${transactions.connection} runs here; call this in a method with @Transactional(), or pass tx`;
  throw new UsageError('NO_TRANSACTION', `${text}; nothing was written`, 'tx');
}

class Scope implements DatabaseScope {
  /** `ending`: its method has ended, and the database does not know yet. */
  state: 'running' | 'ending' | 'committed' | 'failed' = 'running';
  readonly root: Scope;
  /** The local transaction around it. */
  readonly local = runningHere();
  private readonly ended: (() => Promise<void>)[] = [];

  /** @param parent what it is a savepoint of @param suspended the transaction that goes on when this one has ended */
  constructor(
    private readonly parent: Scope | undefined,
    private readonly suspended: Scope | undefined,
  ) {
    this.root = parent?.root ?? this;
  }

  /** Whether statements can still be part of it. */
  get isOpen(): boolean {
    return this.state === 'running' && (this.parent === undefined || this.parent.isOpen);
  }

  get isRunning(): boolean {
    return this.root.state === 'running' || this.root.state === 'ending';
  }

  /** Whether it is a transaction that no other one of the same local transaction is around. */
  get isOutermost(): boolean {
    const { parent, suspended } = this;
    return parent === undefined && (suspended?.isRunning !== true || suspended.local !== this.local);
  }

  isUndoneAround(local: TransactionRun): boolean {
    if (this.parent === undefined) return false;
    return (this.state === 'failed' && this.local !== local) || this.parent.isUndoneAround(local);
  }

  onEnded(work: () => Promise<void>): void {
    this.root.ended.push(work);
  }

  async finish(): Promise<void> {
    if (this.root !== this) return;
    const results = await Promise.allSettled(this.ended.map((work) => work()));
    const failed = results.find(({ status }) => status === 'rejected');
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
  }
}

/** Timers and other work that a method has started, but not awaited, have its context for ever. */
function runningHere(): TransactionRun | undefined {
  const run = transactionHere()?.run;
  return run?.hasEnded === true ? undefined : run;
}
