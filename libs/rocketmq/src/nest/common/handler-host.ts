// The provider or controller of a decorated method, and how to get the instance to call it on.

import { type ContextId, ContextIdFactory, type DiscoveryService, ModuleRef } from '@nestjs/core';

/** Nest's record of a provider or controller; Nest exports no name for it. */
export type InstanceWrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** An instance to call, and the injection context that it was created in; undefined for the static one. */
interface ResolvedHost {
  readonly instance: object;
  readonly contextId: ContextId | undefined;
}

/** A provider or controller with decorated methods. */
export class HandlerHost {
  constructor(
    readonly wrapper: InstanceWrapper,
    readonly prototype: object,
  ) {}

  get className(): string {
    return this.prototype.constructor.name;
  }

  /** Whether one instance, created at startup, serves all calls. */
  get isStatic(): boolean {
    return this.wrapper.isDependencyTreeStatic() && !this.wrapper.isTransient;
  }

  /**
   * The instance for one call; a new one unless the host is static.
   * @param request the value of the injection token `REQUEST`
   */
  async resolve(request: object): Promise<ResolvedHost> {
    if (this.isStatic) return { instance: this.wrapper.instance, contextId: undefined };
    const moduleRef = this.moduleRef();
    const contextId = ContextIdFactory.getByRequest(request);
    moduleRef.registerRequestByContextId(request, contextId);
    const instance: object = await moduleRef.resolve(this.wrapper.token, contextId, { strict: true });
    return { instance, contextId };
  }

  /** The one of the host's own module: several modules may provide the same class. */
  private moduleRef(): ModuleRef {
    const moduleRef = this.wrapper.host?.getProviderByKey<ModuleRef>(ModuleRef)?.instance;
    if (moduleRef === undefined) throw new TypeError(`${this.className} belongs to no module`);
    return moduleRef;
  }
}

/** A method with one of the library's decorators. */
export interface HandlerMethod {
  readonly host: HandlerHost;
  readonly methodName: string;
}

/** `Class.method`. */
export function methodLabel({ host, methodName }: HandlerMethod): string {
  return `${host.className}.${methodName}`;
}
