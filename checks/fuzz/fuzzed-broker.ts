// The embedded broker of a fuzz, in a process of its own, and what can be seen of it from outside.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startEmbeddedBroker } from '../../tools/servers/embedded-broker-process.mjs';

const ANSWER_MS = 10_000;
const PROBE = pathToFileURL(join(import.meta.dirname, 'broker-probe.mjs')).href;
/** What the broker warns of when peers do not speak its protocol, or never end their transactions. */
const EXPECTED_LOG = /the client does not use the remoting protocol|a half message was given up/;

type BrokerProcess = Awaited<ReturnType<typeof startEmbeddedBroker>>;

export class FuzzedBroker {
  /** How it ended, before it was asked to. */
  end: string | undefined;
  #written;

  constructor(
    readonly process: BrokerProcess,
    written: { log: string },
  ) {
    this.#written = written;
    void process.ended.then((end) => {
      this.end ??= end;
    });
  }

  /**
   * @param config as `broker --config` takes it
   * @param declared as its command line takes them
   * @param folder where its configuration is written
   */
  static async start(
    config: object,
    { topics, groups }: { topics: readonly string[]; groups: readonly string[] },
    folder: string,
  ) {
    const file = join(folder, 'broker.json');
    writeFileSync(file, JSON.stringify(config));
    const args = ['--port', '0', '--name-server-port', '0', '--strict', '--config', file];
    for (const topic of topics) args.push('--topic', topic);
    for (const group of groups) args.push('--group', group);
    const written = { log: '' };
    const onStderr = (text: string) => {
      written.log += text;
    };
    const execArgv = ['--expose-gc', '--import', PROBE];
    return new FuzzedBroker(await startEmbeddedBroker(args, { execArgv, onStderr }), written);
  }

  /** What it has logged since its start began. */
  get log(): string {
    return this.#written.log;
  }

  get ports() {
    const { endpoints, nameServerEndpoint = '' } = this.process;
    return { clients: endpoints, admin: nameServerEndpoint };
  }

  /** What it holds after collection; undefined when it does not answer. */
  async memoryBytes(): Promise<number | undefined> {
    return (await this.ask('memory')).memoryBytes;
  }

  /**
   * The most CPU that it took at a stretch since this was asked for the last time, and between which times; undefined when it does
   * not answer.
   */
  async busiest(): Promise<{ cpuMs: number; fromMs: number; toMs: number } | undefined> {
    const answer = await this.ask('busiest');
    return answer.cpuMs === undefined ? undefined : answer;
  }

  /** The CPU that a certain work takes there, to compare with. */
  async yardstickCpuMs(): Promise<number | undefined> {
    return (await this.ask('yardstick')).cpuMs;
  }

  /** @returns what broker-probe.mjs answers; nothing in it when it does not */
  // biome-ignore lint/suspicious/noExplicitAny: answers are read as they are
  ask(what: 'memory' | 'busiest' | 'yardstick'): Promise<any> {
    const { child } = this.process;
    return new Promise((resolve) => {
      const timer = setTimeout(() => answer({}), ANSWER_MS);
      const answer = (facts: object) => {
        clearTimeout(timer);
        child.off('message', answer);
        resolve(facts);
      };
      child.on('message', answer);
      if (!child.connected) answer({});
      else child.send({ asks: what });
    });
  }

  /** What it logged as errors, without what hostile and careless peers cause by design. */
  errors(): string[] {
    const lines = this.log.split('\n').filter((line) => line !== '' && !EXPECTED_LOG.test(line));
    return lines.filter((line) => !/^(\s|\}|\{)/.test(line));
  }

  async stop(): Promise<void> {
    this.end ??= '';
    await this.process.kill();
  }
}
