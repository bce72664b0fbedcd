import { ControlClient } from 'nestjs-rocketmq/broker';

/** Lets a day pass for the broker. @returns what was due next before, and how much became due on the way */
export async function aDayLater(endpoint: string): Promise<{ next: string[]; passed: number }> {
  const control = new ControlClient({ endpoint });
  const { due, nowMs } = await control.time();
  const next = due.map(({ kind, topic, atMs }) => `${kind} on ${topic} in ${Math.round((atMs - nowMs) / 60_000)} min`);
  const { passed } = await control.advanceTime({ byMs: 24 * 60 * 60_000 });
  return { next, passed };
}
