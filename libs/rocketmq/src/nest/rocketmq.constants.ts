// Injection tokens and metadata keys. Symbols of the registry, since an application may load this package twice (as ESM and
// as CommonJS) and both copies must mean the same.

/** The checked module options. */
export const OPTIONS = Symbol.for('nestjs-rocketmq.options');
/** What runs the methods with `@TransactionalSend`; injected into their classes under the same key. */
export const TRANSACTIONS = Symbol.for('nestjs-rocketmq.transactions');

export const LISTENER_METADATA = Symbol.for('nestjs-rocketmq.listener');
export const TRANSACTIONAL_SEND_METADATA = Symbol.for('nestjs-rocketmq.transactional-send');
export const TRANSACTION_CHECKER_METADATA = Symbol.for('nestjs-rocketmq.transaction-checker');

/** Nest's own key of a method's parameters (`ROUTE_ARGS_METADATA`), which it does not export from a package root. */
export const ROUTE_ARGUMENTS_METADATA = '__routeArguments__';
/** Nest's own mark of classes that take calls from outside (`ENTRY_PROVIDER_WATERMARK`), not exported either. */
export const ENTRY_PROVIDER_METADATA = '__entryProvider__';

/** What `context.getType()` says in guards, pipes, interceptors and filters of a listener. */
export const CONTEXT_TYPE = 'rocketmq';

/** Nest's numbers of `@Payload()` and `@Ctx()` (`RpcParamtype`). 3 is also that of an HTTP body, so pipes validate it. */
export const PAYLOAD_PARAMETER = 3;
export const CONTEXT_PARAMETER = 6;
