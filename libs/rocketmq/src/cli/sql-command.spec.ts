import { describe, expect, it } from '@jest/globals';
import { call, words } from '../../../../test/fixtures/command-line.js';
import { schemaSql, schemaStatements } from '../entries/sql.js';

const sql = (line: string) => call(['sql', ...words(line)]);

describe('nestjs-rocketmq sql', () => {
  it.each(['postgresql', 'mysql'] as const)('prints the statements for %s', async (dialect) => {
    const { code, out, err } = await sql(`--dialect ${dialect}`);
    expect({ code, out, err }).toEqual({ code: 0, out: schemaSql({ dialect }), err: '' });
  });

  it('separates statements as Drizzle Kit does', async () => {
    const { out } = await sql('--dialect mysql --breakpoints');
    const parts = out.split('--> statement-breakpoint').map((part) => part.trim().replace(/;$/, ''));
    expect(parts).toEqual(schemaStatements({ dialect: 'mysql' }));
  });

  it('uses other names of tables', async () => {
    const names =
      '--transaction-log-table a.log --inbox-table a.inbox --outbox-table a.outbox --schedule-table a.schedule --limit-table a.limits';
    const { out } = await sql(`--dialect postgresql ${names}`);
    for (const name of ['log', 'inbox', 'outbox', 'schedule', 'limits'])
      expect(out).toContain(`CREATE TABLE IF NOT EXISTS "a"."${name}"`);
    expect(out).not.toContain('rocketmq_');
  });

  it('prints what is missing in tables of a version', async () => {
    expect(await sql('--dialect mysql --from 1 --to 1')).toEqual({ code: 0, out: '', err: '' });
    const { out } = await sql('--dialect mysql --from 1 --to 2');
    expect(out.match(/CREATE TABLE IF NOT EXISTS \S+/g)).toEqual(['CREATE TABLE IF NOT EXISTS `rocketmq_schedule`']);
  });

  it.each([
    '',
    '--dialect oracle',
    '--dialect mysql --to 99',
    '--dialect mysql --from x',
    '--dialect mysql --inbox-table a-b',
  ])('rejects "%s"', async (line) => {
    expect(await sql(line)).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/\S/) });
  });
});
