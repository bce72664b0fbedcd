import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConfigurationError } from './environment.js';
import { faultCheckpoint } from './fault-point.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fault-point-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

// That it kills is shown where real processes are started; here it must not.
describe('faultCheckpoint', () => {
  it('is nothing unless it is asked for', () => {
    expect(faultCheckpoint({})).toBeUndefined();
  });

  it('needs a marker', () => {
    expect(() => faultCheckpoint({ DEMO_FAULT_POINT: 'half-sent' })).toThrow(ConfigurationError);
  });

  it('passes other points and other topics', () => {
    const marker = join(folder, 'marker');
    const checkpoint = faultCheckpoint({ DEMO_FAULT_POINT: 'half-sent:order-paid', DEMO_FAULT_MARKER: marker });
    checkpoint?.('half-sent', { topic: 'order-created', messageId: '1' });
    checkpoint?.('transaction-ended', { topic: 'order-paid', messageId: '1' });
    expect(existsSync(marker)).toBe(false);
  });

  it('strikes once: with its marker there it passes', () => {
    const marker = join(folder, 'marker');
    writeFileSync(marker, '');
    const checkpoint = faultCheckpoint({ DEMO_FAULT_POINT: 'half-sent', DEMO_FAULT_MARKER: marker });
    checkpoint?.('half-sent', { topic: 'order-created', messageId: '1' });
  });
});
