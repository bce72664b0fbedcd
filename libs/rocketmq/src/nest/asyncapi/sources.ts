// What an application sends and receives, by its declarations alone: nothing has to be started, and nothing changes.

import type { INestApplicationContext } from '@nestjs/common';
import { DiscoveryService, ModulesContainer } from '@nestjs/core';
import { StateError } from '../../support/errors.js';
import { methodLabel } from '../common/handler-host.js';
import { rocketMQTransport } from '../common/pattern.js';
import { familyToken, OWN_NAME, optionsToken } from '../common/rocketmq.constants.js';
import { type PlannedListener, planConsumers } from '../listening/listener-plan.js';
import { controllerHosts, explore, type FoundListener } from '../listening/rocketmq.explorer.js';
import type { TopicDefinition } from '../messages/topic-definition.js';
import type { CheckedOptions } from '../runtime/module-options.js';
import { describedPatterns, patternsOfAnyTransport } from '../transport/pattern-handlers.js';
import type { RuntimeFamily } from '../transport/runtime-family.js';
import { DEFAULT_CONNECTION } from './document.js';

/** A method with `@TransactionalSend`. */
interface TransactionalMethod {
  /** `Class.method`. */
  readonly label: string;
  readonly topic: TopicDefinition;
}

/** What the application does over one connection. Names of topics are those on the cluster. */
export interface UsedConnection {
  /** {@link DEFAULT_CONNECTION} for the one without a name. */
  readonly name: string;
  readonly options: CheckedOptions;
  readonly listeners: readonly PlannedListener[];
  /** The module option `topics`. */
  readonly topics: readonly TopicDefinition[];
  readonly transactional: readonly TransactionalMethod[];
}

/** All connections, and what cannot be assigned to one. */
interface Sources {
  readonly connections: readonly UsedConnection[];
  /** Handlers of patterns without a transport that no connected server takes, as `Class.method`. */
  readonly undecided: readonly string[];
}

/**
 * @throws StateError `NO_MODULE` without RocketMQModule, `NO_OPTIONS` where its options come from a provider that was not created;
 *   UsageError as the start of the application
 */
export function sourcesOf(app: INestApplicationContext): Sources {
  const modules = app.get(ModulesContainer, { strict: false });
  // Not from the application: in a preview, Nest creates no providers.
  const discovery = new DiscoveryService(modules);
  const controllers = controllerHosts(discovery);
  const cores = [...modules.values()].filter(({ providers }) => providers.has(OWN_NAME));
  if (cores.length === 0)
    throw new StateError(
      'NO_MODULE',
      'the application does not import RocketMQModule, so there is nothing to document',
    );
  const connections: UsedConnection[] = [];
  let isConnected = false;
  for (const { providers } of cores) {
    const name = (providers.get(OWN_NAME)?.instance as string | null) ?? undefined;
    const options = providers.get(optionsToken(name))?.instance as CheckedOptions | null | undefined;
    if (options?.target === undefined) throw noOptions(name);
    const [server, ...others] = (providers.get(familyToken(name))?.instance as RuntimeFamily | null)?.servers?.() ?? [];
    isConnected ||= server?.isConnected ?? false;
    const { listeners, transactionalSends } = explore(discovery, name);
    const transportId = server?.transportId ?? rocketMQTransport(name);
    const patterns = describedPatterns(controllers, transportId, server?.isConnected ?? false);
    connections.push({
      name: name ?? DEFAULT_CONNECTION,
      options,
      listeners: planned([...listeners, ...patterns], options),
      topics: (options.topics ?? []).map((topic) => onCluster(topic, options)),
      transactional: transactionalSends.map((send) => ({
        label: methodLabel(send),
        topic: onCluster({ ...send.topic, type: 'transaction' }, options),
      })),
    });
    for (const other of others) {
      isConnected = true;
      const own = other.ownOptions as CheckedOptions;
      const handlers = describedPatterns(controllers, other.transportId, true);
      connections.push({
        name: 'server',
        options: own,
        listeners: planned(handlers, own),
        topics: [],
        transactional: [],
      });
    }
  }
  return { connections, undecided: isConnected ? [] : patternsOfAnyTransport(controllers) };
}

function planned(found: readonly FoundListener[], options: CheckedOptions): PlannedListener[] {
  // A handler that is left out may have a name in `listeners`.
  return planConsumers(found, { ...options, unknownListeners: 'ignore' }).flatMap(({ listeners }) => listeners);
}

function onCluster(topic: TopicDefinition, { names }: CheckedOptions): TopicDefinition {
  return { ...topic, name: names.topic(topic.name) };
}

function noOptions(name: string | undefined): StateError {
  const which = name === undefined ? '' : ` (connection "${name}")`;
  const text =
    `the options of RocketMQModule.forRootAsync()${which} come from a provider, and in preview mode Nest creates none; add --instantiate to ` +
    'nestjs-rocketmq asyncapi document, which creates the providers without starting the application';
  return new StateError('NO_OPTIONS', text);
}
