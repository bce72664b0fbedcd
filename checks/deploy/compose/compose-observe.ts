// Whether what compose.yaml starts to watch the demos fits together: who asks whom, at which port, and what the board shows.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Checks } from '../../../tools/checks.js';
import { serviceOf } from './compose-loader.js';
import type { ComposeModel } from './compose-model.js';

const PROFILE = 'observe';
/** Set for Compose, it starts a profile; set or not, it decides in the file where spans go. */
const WHEN_WATCHED = /^\$\{COMPOSE_PROFILES:\+(.+)\}$/;
const WATCHING = ['grafana', 'jaeger', 'otel-collector', 'prometheus'];

/**
 * @param model of the loader, which shows the services of all profiles, and knows no variables
 * @param root of the repository
 */
export async function lookAtWatching(model: ComposeModel, root: string, checks: Checks): Promise<void> {
  const docker = join(root, 'docker');
  const read = (path: string) => parse(readFileSync(join(docker, path), 'utf8'));
  const { services } = model;
  await checks.check(`the profile ${PROFILE} adds those who watch, and nobody else`, () => {
    const inProfile = Object.entries(services).filter(([, { profiles }]) => profiles?.includes(PROFILE));
    same(inProfile.map(([name]) => name).sort(), WATCHING);
  });
  const collector = read('otel-collector.yaml');
  await checks.check('the apps send spans to where the collector takes them, and nowhere without the profile', () => {
    const written = parse(readFileSync(join(root, 'compose.yaml'), 'utf8'), { merge: true }).services;
    for (const name of ['order-demo', 'inventory-demo']) {
      const [, address = ''] = WHEN_WATCHED.exec(written[name].environment.OTEL_EXPORTER_OTLP_ENDPOINT) ?? [];
      const url = new URL(address);
      isReached(model, name, url.hostname);
      same(url.port, collector.receivers.otlp.protocols.http.endpoint.split(':')[1]);
      same(serviceOf(model, name).environment.OTEL_EXPORTER_OTLP_ENDPOINT, '');
    }
  });
  await checks.check('the collector hands them on, by parts that it has, to Jaeger', () => {
    const { receivers, processors, exporters } = collector.service.pipelines.traces;
    for (const [used, known] of [
      [receivers, collector.receivers],
      [processors, collector.processors],
      [exporters, collector.exporters],
    ]) {
      same(
        used.filter((name: string) => known[name] === undefined),
        [],
      );
    }
    const [host, port] = collector.exporters.otlp.endpoint.split(':');
    isReached(model, 'otel-collector', host);
    same(port, '4317');
  });
  await checks.check('Prometheus asks each app, the broker and the proxy, where they answer', () => {
    const configs: { static_configs: { targets: string[] }[] }[] = read('prometheus.yml').scrape_configs;
    const targets = configs.flatMap((config) => config.static_configs.flatMap((some) => some.targets));
    const { metricsPromExporterPort } = JSON.parse(readFileSync(join(docker, 'rmq-proxy.json'), 'utf8'));
    const [, brokerPort] =
      /^metricsPromExporterPort=(\d+)$/m.exec(readFileSync(join(docker, 'broker.conf'), 'utf8')) ?? [];
    const port = (name: string) => serviceOf(model, name).environment.PORT;
    same(targets.sort(), [
      `broker:${brokerPort}`,
      `inventory-demo:${port('inventory-demo')}`,
      `order-demo:${port('order-demo')}`,
      `proxy:${metricsPromExporterPort}`,
    ]);
    for (const target of targets) isReached(model, 'prometheus', target.replace(/:.*/, ''));
  });
  await checks.check('Grafana finds its sources and its boards, and boards ask sources that there are', () => {
    const { datasources }: { datasources: { uid: string; type: string; url: string }[] } = read(
      'grafana/provisioning/datasources/demos.yaml',
    );
    for (const { url } of datasources) isReached(model, 'grafana', new URL(url).hostname);
    const [{ options }] = read('grafana/provisioning/dashboards/demos.yaml').providers;
    const boardFolder = join(docker, 'grafana/dashboards');
    const mounted = serviceOf(model, 'grafana').volumes?.find(({ target }) => target === options.path);
    same(mounted?.source, boardFolder);
    const known = datasources.map(({ uid, type }) => `${type} ${uid}`);
    const boards: { panels: { datasource?: { uid: string; type: string } }[] }[] = readdirSync(boardFolder).map(
      (name) => JSON.parse(readFileSync(join(boardFolder, name), 'utf8')),
    );
    const asked = boards.flatMap(({ panels }) => panels.flatMap(({ datasource }) => datasource ?? []));
    if (asked.length === 0) throw new Error('no panel asks anybody');
    same(
      asked.filter(({ uid, type }) => !known.includes(`${type} ${uid}`)),
      [],
    );
  });
}

/** Both are there, and on one network. */
function isReached({ services }: ComposeModel, from: string, to: string): void {
  const networks = (name: string) => Object.keys(services[name]?.networks ?? {});
  if (networks(from).some((network) => networks(to).includes(network))) return;
  throw new Error(`${from} cannot reach ${to}`);
}

function same(found: unknown, wanted: unknown): void {
  if (JSON.stringify(found) === JSON.stringify(wanted)) return;
  throw new Error(`it is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
}
