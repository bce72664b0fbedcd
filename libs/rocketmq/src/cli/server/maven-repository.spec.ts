// Downloads from a server that keeps to nothing.

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { MavenRepository } from './maven-repository.js';

const ARTIFACT = { groupId: 'org.example', artifactId: 'one', version: '1.0', classifier: undefined };
const PATH = '/org/example/one/1.0/one-1.0';
const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');

/** What is answered to a path: in turn, the last one for ever. A number is a status. */
let answers: Record<string, (string | number)[]>;
let asked: string[];
const stopping = new AbortController();
const server = createServer(({ url = '' }, response) => {
  asked.push(url);
  const planned = answers[url] ?? [404];
  const answer = planned.length > 1 ? planned.shift() : planned[0];
  if (typeof answer === 'number') response.writeHead(answer).end();
  else response.end(answer);
});
let folder: string;
let repository: MavenRepository;

beforeEach(async () => {
  [answers, asked] = [{}, []];
  folder = mkdtempSync(join(tmpdir(), 'jars-'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  repository = new MavenRepository(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, stopping.signal);
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

it('writes a jar that matches its checksum, whatever follows it', async () => {
  answers = {
    [`${PATH}-linux.jar`]: ['content'],
    [`${PATH}-linux.jar.sha1`]: [`${sha1('content')}  one-1.0-linux.jar\n`],
  };
  await repository.jar({ ...ARTIFACT, classifier: 'linux' }, folder);
  expect(readFileSync(join(folder, 'one-1.0-linux.jar'), 'utf8')).toBe('content');
});

it('tries again after a failure of the server and a file that is damaged', async () => {
  answers = { [`${PATH}.pom`]: [503, 'dam', 'whole'], [`${PATH}.pom.sha1`]: [sha1('whole')] };
  expect(await repository.pom(ARTIFACT)).toBe('whole');
});

it('fails in the end where a file never matches its checksum', async () => {
  answers = { [`${PATH}.jar`]: ['other'], [`${PATH}.jar.sha1`]: [sha1('content')] };
  await expect(repository.jar(ARTIFACT, folder)).rejects.toThrow('one-1.0.jar does not match its checksum');
  expect(asked.filter((path) => path.endsWith('.jar'))).toHaveLength(3);
});

it('asks once for what is missing, and says so', async () => {
  await expect(repository.pom(ARTIFACT)).rejects.toMatchObject({ isMissing: true, isTransient: false });
  expect(asked).toEqual([`${PATH}.pom.sha1`]);
});

it('reads no more than a file may have', async () => {
  answers = { [`${PATH}.pom`]: ['x'.repeat(5 * 1024 * 1024)], [`${PATH}.pom.sha1`]: [sha1('x')] };
  await expect(repository.pom(ARTIFACT)).rejects.toThrow('more than 4194304 bytes');
  answers[`${PATH}.pom.sha1`] = ['no checksum'];
  await expect(repository.pom(ARTIFACT)).rejects.toThrow('is not a checksum');
});

it.each(['..', '../one', 'a/b', 'a?b', ''])('asks for no artifact with the name %j', async (artifactId) => {
  await expect(repository.pom({ ...ARTIFACT, artifactId })).rejects.toThrow('is not a name of an artifact');
  expect(asked).toEqual([]);
});

it('stops when its signal fires', async () => {
  const stop = new AbortController();
  const { port } = server.address() as AddressInfo;
  const stopped = new MavenRepository(`http://127.0.0.1:${port}`, stop.signal);
  stop.abort(new Error('stopped'));
  await expect(stopped.pom(ARTIFACT)).rejects.toThrow('stopped');
});
