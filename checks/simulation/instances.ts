// The processes of the simulated service: their starts, deaths and closes.

import { MINUTE_MS, SECOND_MS } from 'nestjs-rocketmq';
import type { Cluster } from './cluster.js';
import type { Disturbance, StartFact } from './facts.js';
import { NestService, type NestWorld } from './nest-service.js';
import type { Network } from './platform/network.js';
import type { SimulatedProcess } from './platform/simulation.js';
import { CLOSE_GRACE_MS, Service } from './service.js';
import type { Worker } from './worker.js';

/** The delay after which a dead service is restarted. */
const RESTART_MS = 3 * SECOND_MS;
/** How long after its start a member may take its queues. */
const DIVIDED_MS = 3 * SECOND_MS;
/** The time after a close in which everything ends: a connection drains for up to a minute. */
const AFTER_CLOSE_MS = 90 * SECOND_MS;
const CLOSE_LIMIT_MS = CLOSE_GRACE_MS + 2 * MINUTE_MS;

export class Instances {
  readonly running: Worker[] = [];
  readonly failedStarts: StartFact[] = [];
  readonly releases: { fromMs: number; untilMs: number }[] = [];
  readonly leaks: string[] = [];
  readonly hanging: string[] = [];
  private started = 0;
  private isEnding = false;

  /** @param onStart called with the name of each new process, before it connects */
  constructor(
    private readonly world: NestWorld & { readonly network: Network },
    private readonly cluster: Cluster,
    private readonly disturbances: Disturbance[],
    private readonly onStart: (process: string) => void,
  ) {}

  /** Closes all, and starts none any more. Resolves when everything of theirs must have ended. */
  async end(): Promise<void> {
    const { simulation } = this.world;
    this.isEnding = true;
    const closing = [...this.running].map((service) => this.closeService(service));
    await simulation.run(simulation.nowMs + CLOSE_LIMIT_MS + AFTER_CLOSE_MS + SECOND_MS);
    await Promise.all(closing);
  }

  start(): void {
    if (this.isEnding) return;
    const { world, cluster } = this;
    const { simulation, plan } = world;
    if (plan.layout === 'seen' && cluster.nodes.some(({ isRegistered }) => !isRegistered)) {
      this.later(SECOND_MS, () => this.start());
      return;
    }
    const number = this.started++;
    const process = simulation.process(`service-${number}`, `10.0.1.${number + 1}`);
    simulation.at(simulation.nowMs, process, () => {
      // Not earlier, because another fault can occur at the same moment.
      this.onStart(process.name);
      const service = plan.parts.nest ? new NestService(world, process) : new Service(world, process);
      this.running.push(service);
      const fromMs = simulation.nowMs;
      const divided = plan.pulls ? this.dividesAnew() : undefined;
      const started = service.start().then(() => {
        service.isStarted = true;
        divided?.();
      });
      started.catch((error) => {
        if (service.isClosing || process.isDead) return;
        simulation.say(`start failed: ${(error as Error).message}`);
        this.failedStarts.push({
          process: process.name,
          fromMs,
          atMs: simulation.nowMs,
          error: (error as Error).message,
        });
        this.watchOver(service);
        simulation.kill(process);
      });
    });
  }

  /** A member that comes takes queues from the others, and one that goes leaves them. @returns to be called when it has started or closed */
  private dividesAnew(): () => void {
    const { disturbances } = this;
    const { simulation } = this.world;
    const fromMs = simulation.nowMs;
    const divided = {
      kind: 'members',
      fromMs,
      untilMs: Number.POSITIVE_INFINITY,
      processes: undefined,
      only: 'divided anew',
    } as const;
    const index = disturbances.push(divided) - 1;
    return () => {
      disturbances[index] = { ...divided, untilMs: simulation.nowMs + DIVIDED_MS };
    };
  }

  /** Starts a new one when it was killed. */
  watchOver(service: Worker): void {
    const { process } = service;
    const { simulation } = this.world;
    process.onDeath.add(() => {
      const index = this.running.indexOf(service);
      // Two faults may have selected it.
      if (index < 0) return;
      this.running.splice(index, 1);
      this.disturbances.push({
        kind: 'client crash',
        fromMs: simulation.nowMs,
        untilMs: simulation.nowMs + RESTART_MS,
        processes: undefined,
      });
      simulation.at(simulation.nowMs + RESTART_MS, undefined, () => this.start());
    });
  }

  /** A rolling restart: closes each service gracefully and replaces it. */
  async deploy(durationMs: number): Promise<void> {
    for (const service of this.running.filter(({ isClosed }) => !isClosed)) {
      if (service.process.isDead || service.isClosing || this.isEnding) continue;
      service.isClosing = true;
      this.later(Math.min(durationMs, SECOND_MS), () => this.start());
      await this.closeService(service);
    }
  }

  private async closeService(service: Worker): Promise<void> {
    const { simulation, plan } = this.world;
    const { process } = service;
    const startMs = simulation.nowMs;
    const release = { fromMs: startMs, untilMs: Number.POSITIVE_INFINITY };
    this.releases.push(release);
    const divided = plan.pulls ? this.dividesAnew() : undefined;
    service.isClosing = true;
    await new Promise<void>((resolve) => {
      process.onDeath.add(resolve);
      simulation.at(startMs, process, () => {
        service.close().then(resolve, (error) => {
          simulation.uncaught.push(`close of ${process.name}: ${(error as Error).stack}`);
          resolve();
        });
      });
      simulation.at(startMs + CLOSE_LIMIT_MS, undefined, () => {
        if (!service.isClosed && !process.isDead && process.pausedUntilMs <= startMs)
          this.hanging.push(`close of ${process.name}`);
        resolve();
      });
    });
    release.untilMs = simulation.nowMs;
    divided?.();
    const index = this.running.indexOf(service);
    if (index >= 0) this.running.splice(index, 1);
    this.later(AFTER_CLOSE_MS, () => this.assertGone(process));
  }

  private assertGone(process: SimulatedProcess): void {
    if (process.isDead) return;
    if (process.timers > 0) this.leaks.push(`${process.timers} timers of ${process.name}`);
    for (const connection of this.world.network.connections) {
      if (connection.client.process === process && !connection.client.isClosed)
        this.leaks.push(`a connection of ${process.name}`);
    }
    process.isDead = true;
  }

  private later(delayMs: number, work: () => void): void {
    const { simulation } = this.world;
    simulation.at(simulation.nowMs + delayMs, undefined, work);
  }
}
