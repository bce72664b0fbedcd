// Injection tokens and metadata keys. Symbols of the registry, since an application may load this package twice (as ESM and
// as CommonJS) and both copies must mean the same. Tokens for applications are in injection.decorators.ts.

/** The token of a part of one connection; the connection without a name has one, too. */
function tokenOf(part: string, connection: string | undefined): symbol {
  return Symbol.for(`nestjs-rocketmq.${part}${connection === undefined ? '' : `:${connection}`}`);
}

/** The checked module options. */
export const optionsToken = (connection?: string): symbol => tokenOf('options', connection);
/** What runs while the application does. */
export const runtimeToken = (connection?: string): symbol => tokenOf('runtime', connection);
/** What turns bodies into messages and back. */
export const wireToken = (connection?: string): symbol => tokenOf('wire', connection);
/** A runtime and those of the servers that it has adopted. */
export const familyToken = (connection?: string): symbol => tokenOf('family', connection);
/** Whoever asks name servers and brokers. */
export const adminAccessToken = (connection?: string): symbol => tokenOf('admin-access', connection);
/** What runs the methods with `@TransactionalSend`; injected into their classes under the same key. */
export const transactionsToken = (connection?: string): symbol => tokenOf('transactions', connection);

/** Within the modules of one connection: its name, its runtime and its producer, whatever it is called. */
export const OWN_NAME = Symbol.for('nestjs-rocketmq.own.name');
export const OWN_RUNTIME = Symbol.for('nestjs-rocketmq.own.runtime');
export const OWN_FAMILY = Symbol.for('nestjs-rocketmq.own.family');
export const OWN_EVENTS = Symbol.for('nestjs-rocketmq.own.events');
export const OWN_PRODUCER = Symbol.for('nestjs-rocketmq.own.producer');

export const LISTENER_METADATA = Symbol.for('nestjs-rocketmq.listener');
export const TRANSACTIONAL_SEND_METADATA = Symbol.for('nestjs-rocketmq.transactional-send');
export const TRANSACTION_CHECKER_METADATA = Symbol.for('nestjs-rocketmq.transaction-checker');
/** Which admin connections a class wants. */
export const ADMIN_METADATA = Symbol.for('nestjs-rocketmq.admin');

/** Nest's own key of a method's parameters (`ROUTE_ARGS_METADATA`), which it does not export from a package root. */
export const ROUTE_ARGUMENTS_METADATA = '__routeArguments__';
/** Nest's own mark of classes that take calls from outside (`ENTRY_PROVIDER_WATERMARK`), not exported either. */
export const ENTRY_PROVIDER_METADATA = '__entryProvider__';

/** What `context.getType()` says in guards, pipes, interceptors and filters of a listener. */
export const CONTEXT_TYPE = 'rocketmq';
/** The same of a handler of the transport strategy; Nest's own word. */
export const PATTERN_CONTEXT_TYPE = 'rpc';

/** Nest's numbers of `@Payload()` and `@Ctx()` (`RpcParamtype`). 3 is also that of an HTTP body, so pipes validate it. */
export const PAYLOAD_PARAMETER = 3;
export const CONTEXT_PARAMETER = 6;
