// Who asks name servers and brokers: for the application that injects it, and for the producer, which wants to know how old the
// brokers are. admin/ is loaded only when somebody needs it.

import type { ModulesContainer } from '@nestjs/core';
import { StateError, UsageError } from '../../support/errors.js';
import { ADMIN_METADATA } from '../common/rocketmq.constants.js';

type RocketMQAdminOptions = ConstructorParameters<typeof import('../../admin/rocketmq-admin.js')['RocketMQAdmin']>[0];

/** `RocketMQAdmin` of `nestjs-rocketmq/admin`. */
export type Admin = InstanceType<typeof import('../../admin/rocketmq-admin.js')['RocketMQAdmin']>;

/** The module options that say how to reach name servers and brokers. */
interface AdminOptions extends Pick<RocketMQAdminOptions, 'credentials' | 'tls' | 'logger'> {
  readonly target: { readonly kind: 'cluster' | 'embedded' };
  readonly nameServer?: string | undefined;
}

/** The admin connection of one connection of the module. */
export class AdminAccess {
  private cluster: Promise<Admin> | undefined;
  private inside: Admin | undefined;
  private isInsideWanted = false;

  constructor(private readonly options: AdminOptions) {}

  /**
   * The admin connection to the cluster; undefined without `nameServer`, and for the broker inside the application.
   * @throws UsageError for a wrong address
   */
  async ofCluster(): Promise<Admin | undefined> {
    const { target, nameServer, credentials, tls, logger } = this.options;
    if (target.kind === 'embedded' || nameServer === undefined) return undefined;
    this.cluster ??= import('../../admin/rocketmq-admin.js').then(
      ({ RocketMQAdmin }) => new RocketMQAdmin({ nameServer, credentials, tls, logger }),
    );
    return this.cluster;
  }

  /**
   * What is injected; undefined when nobody asks for it.
   * @param wantedBy the classes that do
   * @throws UsageError `NO_NAME_SERVER` that names them
   */
  injected(wantedBy: readonly string[]): Promise<Admin | undefined> {
    return this.needed(wantedBy, 'injects RocketMQAdmin, but RocketMQModule does not know where the name servers are');
  }

  /**
   * For groups of this instance; undefined when nothing needs one. That of the broker inside works once it is attached.
   * @param neededBy what needs them
   * @throws UsageError `NO_NAME_SERVER` that names it
   */
  forGroups(neededBy: readonly string[]): Promise<Admin | undefined> {
    return this.needed(neededBy, 'needs a consumer group for each instance, and nobody can make one');
  }

  /**
   * For topics and groups that are declared; undefined where there is nothing to ask: the broker inside is made as declared.
   * @throws UsageError `NO_NAME_SERVER`
   */
  async forProvisioning(provision: 'create' | 'check' | 'off'): Promise<Admin | undefined> {
    if (provision === 'off' || this.options.target.kind === 'embedded') return undefined;
    return this.needed([`option provision: '${provision}'`], 'asks the brokers for their topics and groups');
  }

  /** Whether the broker inside has to take administrators. */
  get needsInside(): boolean {
    return this.isInsideWanted;
  }

  /** The broker inside runs, and takes administrators there. */
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
    const text = `${by.join(', ')} ${problem}; give RocketMQModule the option nameServer, for instance "host:9876;host2:9876"`;
    throw new UsageError('NO_NAME_SERVER', text, 'nameServer');
  }

  /** The broker inside has its address at start only, while Nest injects before: so each call looks for it. */
  private async ofInside(): Promise<Admin> {
    this.isInsideWanted = true;
    const { RocketMQAdmin } = await import('../../admin/rocketmq-admin.js');
    const current = (): Admin => {
      if (this.inside !== undefined) return this.inside;
      throw new StateError('NOT_RUNNING', 'the broker inside is not running; it starts with the application');
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

/** The classes and factories that have the admin connection injected. */
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
