// The embedded broker of a fuzz, in a process of its own, and what can be seen of it from outside.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startEmbeddedBroker } from '../../tools/servers/embedded-broker-process.mjs';

const ANSWER_MS = 10_000;
const PROBE = pathToFileURL(join(import.meta.dirname, 'broker-probe.mjs')).href;
/** What the broker warns of when peers do not speak its protocol, or never end their transactions. */
const EXPECTED_LOG = /the client does not use the remoting protocol|a half message was given up/;

/** @typedef {Awaited<ReturnType<typeof startEmbeddedBroker>>} BrokerProcess */

export class FuzzedBroker {
  /** How it ended, before it was asked to. */
  end = /** @type {string | undefined} */ (undefined);
  #written;

  /** @param {BrokerProcess} process @param {{ log: string }} written */
  constructor(process, written) {
    this.process = process;
    this.#written = written;
    void process.ended.then((end) => {
      this.end ??= end;
    });
  }

  /**
   * @param {object} config as `broker --config` takes it
   * @param {{ topics: readonly string[], groups: readonly string[] }} declared as its command line takes them
   * @param {string} folder where its configuration is written
   */
  static async start(config, { topics, groups }, folder) {
    const file = join(folder, 'broker.json');
    writeFileSync(file, JSON.stringify(config));
    const args = ['--port', '0', '--admin-port', '0', '--strict', '--config', file];
    for (const topic of topics) args.push('--topic', topic);
    for (const group of groups) args.push('--group', group);
    const written = { log: '' };
    const onStderr = (/** @type {string} */ text) => {
      written.log += text;
    };
    const execArgv = ['--expose-gc', '--import', PROBE];
    return new FuzzedBroker(await startEmbeddedBroker(args, { execArgv, onStderr }), written);
  }

  /** What it has logged since its start began. */
  get log() {
    return this.#written.log;
  }

  get ports() {
    const { endpoints, adminEndpoint = '' } = this.process;
    return { clients: endpoints, admin: adminEndpoint };
  }

  /** What it holds after collection; undefined when it does not answer. @returns {Promise<number | undefined>} */
  async memoryBytes() {
    return (await this.ask('memory')).memoryBytes;
  }

  /**
   * The most CPU that it took at a stretch since this was asked for the last time, and between which times; undefined when it does
   * not answer.
   * @returns {Promise<{ cpuMs: number, fromMs: number, toMs: number } | undefined>}
   */
  async busiest() {
    const answer = await this.ask('busiest');
    return answer.cpuMs === undefined ? undefined : answer;
  }

  /** The CPU that a certain work takes there, to compare with. @returns {Promise<number | undefined>} */
  async yardstickCpuMs() {
    return (await this.ask('yardstick')).cpuMs;
  }

  /**
   * @param {'memory' | 'busiest' | 'yardstick'} what
   * @returns {Promise<any>} what broker-probe.mjs answers; nothing in it when it does not
   */
  ask(what) {
    const { child } = this.process;
    return new Promise((resolve) => {
      const timer = setTimeout(() => answer({}), ANSWER_MS);
      const answer = (/** @type {object} */ facts) => {
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
  errors() {
    const lines = this.log.split('\n').filter((line) => line !== '' && !EXPECTED_LOG.test(line));
    return lines.filter((line) => !/^(\s|\}|\{)/.test(line));
  }

  async stop() {
    this.end ??= '';
    await this.process.kill();
  }
}
