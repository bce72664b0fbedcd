// Access to name servers and brokers: for applications that inject it, and for the producer, which needs the versions of the
// brokers. admin/ is loaded only when needed.

import type { ModulesContainer } from '@nestjs/core';
import { StateError, UsageError } from '../../support/errors.js';
import { ADMIN_METADATA } from '../common/rocketmq.constants.js';

type RocketMQAdminOptions = ConstructorParameters<typeof import('../../admin/rocketmq-admin.js')['RocketMQAdmin']>[0];

/** `RocketMQAdmin` of `nestjs-rocketmq/admin`. */
export type Admin = InstanceType<typeof import('../../admin/rocketmq-admin.js')['RocketMQAdmin']>;

/** The module options for reaching name servers and brokers. */
interface AdminOptions extends Pick<RocketMQAdminOptions, 'credentials' | 'tls' | 'logger'> {
  readonly target: { readonly kind: 'cluster' | 'embedded' };
  readonly nameServer?: string | undefined;
  readonly proxies?: string | undefined;
}

/** The admin connection of one connection of the module. */
export class AdminAccess {
  private cluster: Promise<Admin> | undefined;
  private inside: Admin | undefined;
  private isInsideWanted = false;

  constructor(private readonly options: AdminOptions) {}

  /**
   * The admin connection to the cluster; undefined without `nameServer`, and with the embedded broker.
   * @throws UsageError for an invalid address
   */
  async ofCluster(): Promise<Admin | undefined> {
    const { target, nameServer, proxies, credentials, tls, logger } = this.options;
    if (target.kind === 'embedded' || nameServer === undefined) return undefined;
    this.cluster ??= import('../../admin/rocketmq-admin.js').then(
      ({ RocketMQAdmin }) => new RocketMQAdmin({ nameServer, proxies, credentials, tls, logger }),
    );
    return this.cluster;
  }

  /** What can be asked at this moment; undefined where nothing can. */
  async ifAny(): Promise<Admin | undefined> {
    return this.inside ?? this.ofCluster();
  }

  /**
   * The injected instance; undefined when nothing injects it.
   * @param wantedBy the classes that inject it
   * @throws UsageError `NO_NAME_SERVER` that names them
   */
  injected(wantedBy: readonly string[]): Promise<Admin | undefined> {
    return this.needed(wantedBy, 'injects RocketMQAdmin, but RocketMQModule has no addresses of name servers');
  }

  /**
   * For groups of this instance; undefined when nothing needs one. With the embedded broker it works once the broker is attached.
   * @param neededBy what needs them
   * @throws UsageError `NO_NAME_SERVER` that names it
   */
  forGroups(neededBy: readonly string[]): Promise<Admin | undefined> {
    return this.needed(
      neededBy,
      'needs a consumer group for each instance, which cannot be created without administration access',
    );
  }

  /**
   * For declared topics and groups; undefined where there is nothing to ask: the embedded broker creates them as declared.
   * @throws UsageError `NO_NAME_SERVER`
   */
  async forProvisioning(provision: 'create' | 'check' | 'off'): Promise<Admin | undefined> {
    if (provision === 'off' || this.options.target.kind === 'embedded') return undefined;
    return this.needed([`option provision: '${provision}'`], 'needs administration access to the brokers');
  }

  /**
   * For groups whose start the application chooses; undefined when none does.
   * @param neededBy what chooses it
   * @throws UsageError `NO_NAME_SERVER` that names it
   */
  async forStarts(neededBy: readonly string[]): Promise<Admin | undefined> {
    return this.needed(neededBy, 'sets startFrom, which needs administration access to the brokers');
  }

  /**
   * For the lag of groups, which is kept wherever it can be known; undefined when it cannot, or is not wanted.
   * @throws UsageError `NO_NAME_SERVER` when it was asked for
   */
  async forLag(operations: { readonly lagEveryMs?: number } | undefined): Promise<Admin | undefined> {
    const everyMs = operations?.lagEveryMs;
    if (operations === undefined || everyMs === 0) return undefined;
    if (everyMs === undefined && this.options.target.kind === 'cluster') return this.ofCluster();
    return this.needed(['option operations.lagEveryMs'], 'needs administration access to the brokers');
  }

  /** Whether the embedded broker must accept administrators. */
  get needsInside(): boolean {
    return this.isInsideWanted;
  }

  /** Sets the address at which the running embedded broker accepts administrators. */
  async attach(nameServer: string): Promise<void> {
    const { RocketMQAdmin } = await import('../../admin/rocketmq-admin.js');
    this.inside = new RocketMQAdmin({ nameServer, logger: this.options.logger });
  }

  async close(): Promise<void> {
    const admins = [await this.cluster?.catch(() => undefined), this.inside];
    await Promise.all(admins.map((admin) => admin?.close()));
  }

  private async needed(by: readonly string[], problem: string): Promise<Admin | undefined> {
    if (by.length === 0) return undefined;
    if (this.options.target.kind === 'embedded') return this.ofInside();
    const admin = await this.ofCluster();
    if (admin !== undefined) return admin;
    const text = `${by.join(', ')} ${problem}; set the option nameServer of RocketMQModule, for instance "host:9876;host2:9876"`;
    throw new UsageError('NO_NAME_SERVER', text, 'nameServer');
  }

  /** The embedded broker has an address only once it runs, but Nest injects earlier: so each call looks it up. */
  private async ofInside(): Promise<Admin> {
    this.isInsideWanted = true;
    const { RocketMQAdmin } = await import('../../admin/rocketmq-admin.js');
    const current = (): Admin => {
      if (this.inside !== undefined) return this.inside;
      throw new StateError('NOT_RUNNING', 'the embedded broker is not running; it starts with the application');
    };
    return new Proxy(Object.create(RocketMQAdmin.prototype) as Admin, {
      get: (target, key) => {
        const method: unknown = Reflect.get(target, key);
        if (typeof method !== 'function' || key === 'constructor') return method;
        return async (...args: readonly unknown[]) => method.apply(current(), args);
      },
    });
  }
}

/** The classes and factories that inject the admin connection. */
export function whoInjectsAdmin(modules: ModulesContainer, connection: string | undefined, token: unknown): string[] {
  const found = new Set<string>();
  for (const module of modules.values()) {
    for (const wrapper of [...module.providers.values(), ...module.controllers.values()]) {
      const type: unknown = wrapper.metatype;
      const wanted: readonly unknown[] =
        typeof type === 'function' ? (Reflect.getMetadata(ADMIN_METADATA, type) ?? []) : [];
      const dependencies: readonly unknown[] = wrapper.inject ?? [];
      const isInFactory = dependencies.some(
        (one) => one === token || (one as { readonly token?: unknown } | undefined)?.token === token,
      );
      if (isInFactory || (wrapper.inject === undefined && wanted.includes(connection))) found.add(String(wrapper.name));
    }
  }
  return [...found];
}
