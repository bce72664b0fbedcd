// Injection tokens and metadata keys. They are in the global symbol registry because an application may load this package twice
// (as ESM and as CommonJS) and both copies must agree. Tokens for applications are in injection.decorators.ts.

/** The token of a part of one connection; the connection without a name has one, too. */
function tokenOf(part: string, connection: string | undefined): symbol {
  return Symbol.for(`nestjs-rocketmq.${part}${connection === undefined ? '' : `:${connection}`}`);
}

/** The validated module options. */
export const optionsToken = (connection?: string): symbol => tokenOf('options', connection);
/** The runtime of the connection. */
export const runtimeToken = (connection?: string): symbol => tokenOf('runtime', connection);
/** Converts bodies into messages and back. */
export const wireToken = (connection?: string): symbol => tokenOf('wire', connection);
/** A runtime and those of the servers that it has adopted. */
export const familyToken = (connection?: string): symbol => tokenOf('family', connection);
/** Access to name servers and brokers. */
export const adminAccessToken = (connection?: string): symbol => tokenOf('admin-access', connection);
/** Runs the methods with `@TransactionalSend`; injected into their classes under the same key. */
export const transactionsToken = (connection?: string): symbol => tokenOf('transactions', connection);

/** Within the modules of one connection: its name, runtime and producer, whatever its name is. */
export const OWN_NAME = Symbol.for('nestjs-rocketmq.own.name');
export const OWN_RUNTIME = Symbol.for('nestjs-rocketmq.own.runtime');
export const OWN_RUNTIME_FAMILY = Symbol.for('nestjs-rocketmq.own.family');
export const OWN_EVENTS = Symbol.for('nestjs-rocketmq.own.events');

export const LISTENER_METADATA = Symbol.for('nestjs-rocketmq.listener');
export const TRANSACTIONAL_SEND_METADATA = Symbol.for('nestjs-rocketmq.transactional-send');
export const TRANSACTION_CHECKER_METADATA = Symbol.for('nestjs-rocketmq.transaction-checker');
/** The admin connections that a class injects. */
export const ADMIN_METADATA = Symbol.for('nestjs-rocketmq.admin');

/** Nest's own key of what kind of pattern a method handles, the same on 10.4, 11 and 12, and not exported from a package root. */
export const PATTERN_KIND_METADATA = 'microservices:handler_type';
/** Nest's own key of a method's parameters (`ROUTE_ARGS_METADATA`), which it does not export from a package root. */
export const ROUTE_ARGUMENTS_METADATA = '__routeArguments__';
/** Nest's own mark of classes that handle calls from outside (`ENTRY_PROVIDER_WATERMARK`), not exported either. */
export const ENTRY_PROVIDER_METADATA = '__entryProvider__';

/** The value of `context.getType()` in guards, pipes, interceptors and filters of a listener. */
export const CONTEXT_TYPE = 'rocketmq';
/** The same for a handler of the transport strategy; it is Nest's own value. */
export const PATTERN_CONTEXT_TYPE = 'rpc';

/** Nest's numbers of `@Payload()` and `@Ctx()` (`RpcParamtype`). 3 is also that of an HTTP body, so pipes validate it. */
export const PAYLOAD_PARAMETER = 3;
export const CONTEXT_PARAMETER = 6;
