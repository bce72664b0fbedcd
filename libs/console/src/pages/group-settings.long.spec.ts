import { describe, expect, it } from '@jest/globals';
import type { GroupDescription } from 'nestjs-rocketmq/admin';
import { settingsOf } from './group-settings.js';

function described(...settings: [fifo: boolean, maxDeliveryAttempts: number][]): GroupDescription {
  const brokers = settings.map(([fifo, maxDeliveryAttempts], index) => ({
    name: `b${index}`,
    fifo,
    maxDeliveryAttempts,
  }));
  return { ...brokers[0], consumerGroup: 'shop', brokers } as unknown as GroupDescription;
}

describe('the settings of a group', () => {
  it('are those of all brokers where these agree', () => {
    expect(settingsOf(described([true, 17], [true, 17]))).toEqual({
      order: { text: 'fifo', isWrong: false },
      attempts: { text: '17', isWrong: false },
      brokers: [],
      command: undefined,
    });
  });

  it('are marked where brokers differ, and each is listed', () => {
    expect(settingsOf(described([true, 3], [false, 17]))).toEqual({
      order: { text: 'differs', isWrong: true },
      attempts: { text: 'differs', isWrong: true },
      brokers: ['b0: ordered, 3 attempts', 'b1: not ordered, 17 attempts'],
      command: 'npx nestjs-rocketmq group create shop --fifo --max-attempts 17 --yes --name-server NAMESERVER:9876',
    });
  });

  it.each([-1, 2 ** 31 - 1])('have no attempts with retryMaxTimes %i', (retryMaxTimes) => {
    expect(settingsOf(described([false, retryMaxTimes + 1]))).toMatchObject({
      attempts: { text: 'none', isWrong: true },
      brokers: [expect.stringContaining(`retryMaxTimes is ${retryMaxTimes}, so a proxy delivers nothing`)],
      command: expect.stringContaining('group create shop --max-attempts 17 --yes'),
    });
  });

  it('come with a command that keeps what all brokers agree on, and that a shell reads as it is', () => {
    const { command } = settingsOf({ ...described([true, 3], [true, 0]), consumerGroup: 'a|b' });
    expect(command).toContain("group create 'a|b' --max-attempts 3 --yes");
  });
});
