// One broker of the simulated cluster, from its first start to its end: what it loses when it dies, and what it has again afterwards.

import { MINUTE_MS } from 'nestjs-rocketmq';
import { EmbeddedBroker } from '../../libs/rocketmq/src/broker/embedded-broker.js';
import { SimulatedDisk } from './platform/disk.js';
import type { SimulatedProcess, Simulation } from './platform/simulation.js';

type BrokerOptions = NonNullable<ConstructorParameters<typeof EmbeddedBroker>[0]>;

/** What a broker serves beside gRPC. */
export interface SidePort {
  stop(): void;
}

interface NodeOptions {
  readonly simulation: Simulation;
  /** As clients know the broker. */
  readonly name: string;
  readonly host: string;
  readonly broker: BrokerOptions;
  /** Called at each start of the broker, as its process. Undefined when it serves gRPC only. */
  serve(node: BrokerNode, starting: Promise<void>): Promise<SidePort | undefined>;
  /** Called when its name server, which is a part of the first broker, has started. */
  onBoot?(): void;
}

export class BrokerNode {
  readonly disk: SimulatedDisk;
  process: SimulatedProcess;
  broker: EmbeddedBroker;
  isUp = false;
  /** The name server does not know the broker before: it has restarted, and the broker has not registered since. */
  unregisteredUntilMs = 0;
  /** Whether the broker has gone and not registered again. At first, all are expected. */
  private isAway = false;
  private side: SidePort | undefined;

  constructor(private readonly options: NodeOptions) {
    const { simulation, name, host } = options;
    this.disk = new SimulatedDisk(simulation);
    this.process = simulation.process(name, host);
    this.broker = this.make();
  }

  get name(): string {
    return this.options.name;
  }

  /** Whether it serves, so that its store can be read. */
  get isServing(): boolean {
    return this.isUp && !this.isAway;
  }

  get isRegistered(): boolean {
    return !this.isAway && this.options.simulation.nowMs >= this.unregisteredUntilMs;
  }

  start(): void {
    const { simulation, serve } = this.options;
    simulation.at(simulation.nowMs, this.process, () => {
      this.isUp = true;
      this.side = undefined;
      const starting = this.broker.start({ timeoutMs: MINUTE_MS });
      const serving = serve(this, starting).then((side) => {
        this.side = side;
        this.isAway = false;
      });
      Promise.all([starting, serving]).catch((error) => {
        simulation.uncaught.push(`start of ${this.process.name}: ${error}`);
      });
    });
  }

  async restart(awayMs: number): Promise<void> {
    if (!this.isUp) return;
    this.isUp = false;
    this.isAway = true;
    const { simulation } = this.options;
    const { broker, process, side } = this;
    await new Promise<void>((resolve) => {
      simulation.at(simulation.nowMs, process, () => {
        side?.stop();
        void broker.stop().then(resolve);
      });
      process.onDeath.add(resolve);
    });
    if (!process.isDead) simulation.kill(process);
    this.boot(awayMs);
  }

  /** @returns whether it was up */
  crash(awayMs: number): boolean {
    if (!this.isUp) return false;
    this.isUp = false;
    this.isAway = true;
    this.options.simulation.kill(this.process);
    this.boot(awayMs);
    return true;
  }

  /** Stops it for good. */
  stop(stopped: () => void): void {
    const { simulation } = this.options;
    const { broker, process, side } = this;
    simulation.at(simulation.nowMs, process, () => {
      side?.stop();
      void broker.stop().then(stopped);
    });
  }

  private boot(awayMs: number): void {
    const { simulation, host, name, onBoot } = this.options;
    simulation.at(simulation.nowMs + awayMs, undefined, () => {
      this.process = simulation.process(name, host);
      this.broker = this.make();
      this.start();
      onBoot?.();
    });
  }

  private make(): EmbeddedBroker {
    const { simulation, host, broker } = this.options;
    return simulation.as(this.process, () => {
      return new EmbeddedBroker({ host, strict: true, data: 'broker', ...broker }, { openFile: this.disk.open });
    });
  }
}
