// Downloads files of a Maven repository, each compared with its checksum.

import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Coordinates } from './maven-pom.js';
import { type Artifact, nameOf } from './maven-resolution.js';

export const MAVEN_CENTRAL = 'https://repo.maven.apache.org/maven2';

/** Of requests at the same time. */
const MAX_REQUESTS = 6;
const FILE_TIMEOUT_MS = 5 * 60_000;
const ATTEMPTS = 3;
const BETWEEN_ATTEMPTS_MS = 1_000;
const MAX_POM_BYTES = 4 * 1024 * 1024;
const MAX_JAR_BYTES = 256 * 1024 * 1024;
const MAX_CHECKSUM_BYTES = 1024;

/** A file that cannot be downloaded. */
export class DownloadError extends Error {
  override readonly name = 'DownloadError';

  constructor(
    message: string,
    /** The repository answered that it does not have the file. */
    readonly isMissing: boolean,
    /** Whether it may succeed later without a change. */
    readonly isTransient: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export class MavenRepository {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  /** @param url without a slash at its end */
  constructor(
    private readonly url: string,
    private readonly signal: AbortSignal,
  ) {}

  /** The text of a POM. @throws DownloadError; the reason of the signal */
  async pom(coordinates: Coordinates): Promise<string> {
    const chunks: Buffer[] = [];
    await this.checked(pathOf(coordinates, '.pom'), MAX_POM_BYTES, async (content) => {
      chunks.length = 0;
      for await (const chunk of content) chunks.push(chunk);
    });
    return Buffer.concat(chunks).toString('utf8');
  }

  /** Writes a jar into a folder. @throws as {@link pom}; the file may then exist, and is not complete */
  async jar(artifact: Artifact, folder: string): Promise<void> {
    const { artifactId, version, classifier } = artifact;
    const end = classifier === undefined ? '.jar' : `-${classifier}.jar`;
    const path = pathOf(artifact, end);
    await this.checked(path, MAX_JAR_BYTES, (content) =>
      pipeline(content, createWriteStream(join(folder, `${artifactId}-${version}${end}`))),
    );
  }

  private async checked(
    path: string,
    maxBytes: number,
    take: (content: AsyncIterable<Buffer>) => Promise<void>,
  ): Promise<void> {
    await this.inTurn(async () => {
      for (let attempt = 1; ; attempt++) {
        try {
          const wanted = await this.checksum(path);
          const hash = createHash('sha1');
          await this.get(path, maxBytes, (content) => take(passing(content, hash)));
          if (hash.digest('hex') !== wanted)
            throw new DownloadError(`${path} does not match its checksum`, false, true);
          return;
        } catch (error) {
          this.signal.throwIfAborted();
          if (attempt === ATTEMPTS || !(error instanceof DownloadError) || !error.isTransient) throw error;
        }
        await sleep(BETWEEN_ATTEMPTS_MS, undefined, { signal: this.signal });
      }
    });
  }

  /** Some repositories write the name of the file behind it. */
  private async checksum(path: string): Promise<string> {
    let text = '';
    await this.get(`${path}.sha1`, MAX_CHECKSUM_BYTES, async (content) => {
      for await (const chunk of content) text += chunk.toString('utf8');
    });
    const found = /^\s*([0-9a-fA-F]{40})(?:\s|$)/.exec(text)?.[1];
    if (found === undefined) throw new DownloadError(`${path}.sha1 is not a checksum`, false, false);
    return found.toLowerCase();
  }

  private async get(
    path: string,
    maxBytes: number,
    take: (content: AsyncIterable<Buffer>) => Promise<void>,
  ): Promise<void> {
    const url = `${this.url}/${path}`;
    try {
      const signal = AbortSignal.any([this.signal, AbortSignal.timeout(FILE_TIMEOUT_MS)]);
      const response = await fetch(url, { signal });
      if (!response.ok) {
        await response.body?.cancel();
        const isTransient = response.status >= 500 || response.status === 429;
        throw new DownloadError(`${url} was answered with ${response.status}`, response.status === 404, isTransient);
      }
      if (response.body === null) throw new DownloadError(`${url} is empty`, false, true);
      await take(bounded(response.body, maxBytes, url));
    } catch (error) {
      if (error instanceof DownloadError) throw error;
      throw new DownloadError(`${url} could not be read: ${reasonOf(error)}`, false, true, { cause: error });
    }
  }

  private async inTurn(work: () => Promise<void>): Promise<void> {
    if (this.running === MAX_REQUESTS) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.running++;
    try {
      await work();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.running--;
      else next();
    }
  }
}

/** @throws DownloadError for names that would lead elsewhere */
function pathOf(coordinates: Coordinates, end: string): string {
  const { groupId, artifactId, version } = coordinates;
  const parts = [...groupId.split('.'), artifactId, version, `${artifactId}-${version}${end}`];
  if (!parts.every((part) => /^[\w.+-]+$/.test(part) && /[^.]/.test(part)))
    throw new DownloadError(`${nameOf(coordinates)} is not a name of an artifact`, false, false);
  return parts.join('/');
}

async function* bounded(content: AsyncIterable<Uint8Array>, maxBytes: number, url: string): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new DownloadError(`${url} has more than ${maxBytes} bytes`, false, false);
    yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
}

async function* passing(
  content: AsyncIterable<Buffer>,
  hash: { update(chunk: Buffer): unknown },
): AsyncGenerator<Buffer> {
  for await (const chunk of content) {
    hash.update(chunk);
    yield chunk;
  }
}

/** `fetch failed` has its reason in its cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = Object(error) as { readonly message?: unknown; readonly cause?: unknown };
  return cause === undefined ? String(message) : `${String(message)}: ${reasonOf(cause)}`;
}
