// What a browser does with the console: for the specs of libs/console.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';

// biome-ignore lint/suspicious/noExplicitAny: answers are compared as they are
export type Json = any;

export interface Answered {
  readonly status: number;
  readonly body: Json;
  readonly headers: Headers;
}

/** Builds what the browser loads, unless it is there. */
export async function builtPages(): Promise<void> {
  const folder = join(process.cwd(), 'libs/console');
  if (existsSync(join(folder, 'dist/web/index.html'))) return;
  await promisify(execFile)(process.execPath, [join(folder, 'build.mjs')]);
}

/** A page of the console in a browser. */
export class ConsoleBrowser {
  /** @param base where the console is mounted, without a slash at its end */
  constructor(
    readonly base: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {}

  /** Opens a console that is a server of its own. @param console its `url`, with the token, which it takes once */
  static async open({ url }: { readonly url: string }): Promise<ConsoleBrowser> {
    const welcome = await fetch(url, { redirect: 'manual' });
    if (welcome.status !== 303) throw new Error(`${url} answers ${welcome.status} to its token`);
    const [cookie = ''] = (welcome.headers.get('set-cookie') ?? '').split(';');
    return new ConsoleBrowser(new URL(url).origin, { cookie });
  }

  get origin(): string {
    return new URL(this.base).origin;
  }

  with(headers: Readonly<Record<string, string>>): ConsoleBrowser {
    return new ConsoleBrowser(this.base, { ...this.headers, ...headers });
  }

  /** @param path with its slash */
  async raw(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { ...this.headers, ...(init.headers as Record<string, string>) };
    return fetch(this.base + path, { redirect: 'manual', ...init, headers });
  }

  async get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answered> {
    const response = await this.raw(path, { headers });
    return { status: response.status, body: jsonOf(await response.text()), headers: response.headers };
  }

  async post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answered> {
    const own = { 'content-type': 'application/json', 'x-rocketmq-console': '1', origin: this.origin };
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await this.raw(path, { method: 'POST', headers: { ...own, ...headers }, body: text });
    return { status: response.status, body: jsonOf(await response.text()), headers: response.headers };
  }

  /** Plans a change and carries it out. */
  async change(change: object): Promise<{ readonly plan: Json; readonly done: Json }> {
    const { body: plan } = await this.post('/api/plans', change);
    const { body: done } = await this.post('/api/executions', { plan: plan.plan });
    return { plan, done };
  }

  /** Reads the event stream until it has this. */
  async events(path: string, wanted: string): Promise<string> {
    const leaving = new AbortController();
    const response = await this.raw(path, { signal: leaving.signal });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let seen = '';
    try {
      while (!seen.includes(wanted)) {
        const { value, done } = (await reader?.read()) ?? { value: '', done: true };
        if (done) throw new Error(`the stream ended without ${wanted}: ${seen}`);
        seen += value;
      }
      return seen;
    } finally {
      leaving.abort();
    }
  }
}

function jsonOf(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

interface RawRequest {
  readonly port: number;
  /** As it is sent, also what `fetch` would clean up. */
  readonly path: string;
  readonly method?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** `fetch` chooses Host itself, and cleans up paths. */
export function sendRaw({ body, ...options }: RawRequest): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', ...options }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
