// A registry on loopback that has the packed archives and redirects everything else to the configured registry. With it the commands of the
// guides run word for word, as after a release.

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { run } from '../../tools/process/run-command.js';

const HOST = '127.0.0.1';

/**
 * @param packed `unpacked` is an archive's folder `package`
 * @param folder for what npm caches
 * @returns the environment in which npm uses the registry
 */
export async function startRegistry(
  packed: readonly { archive: string; unpacked: string }[],
  folder: string,
): Promise<{ env: NodeJS.ProcessEnv; stop: () => void }> {
  const configured = async (key: string) => (await run('npm', ['config', 'get', key], { cwd: folder })).trim();
  const elsewhere = (await configured('registry')).replace(/\/*$/, '/');
  const own = new Map(packed.map((files) => publishedPackage(files)).map((one) => [one.name, one]));
  const server = createServer(({ url = '/' }, response) => {
    const [, name = '', file] = url.split('/');
    const found = own.get(name);
    if (found === undefined) return void response.writeHead(307, { location: `${elsewhere}${url.slice(1)}` }).end();
    if (file !== undefined) return void response.end(found.bytes);
    const dist = { ...found.digests, tarball: `${base}/${name}/archive.tgz` };
    const { manifest } = found;
    const versions = { [manifest.version]: { ...manifest, dist } };
    const document = { name, 'dist-tags': { latest: manifest.version }, versions };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
  });
  await (new Promise((resolve) => server.listen(0, HOST, () => resolve())) as Promise<void>);
  const address = server.address() as AddressInfo;
  const base = `http://${HOST}:${address.port}`;
  const cache = cacheOfItsOwn(await configured('cache'), folder);
  return {
    // `yes` is what a person answers to npx.
    env: {
      ...withoutSettings(process.env),
      npm_config_registry: base,
      npm_config_cache: cache,
      npm_config_yes: 'true',
    },
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function publishedPackage({ archive, unpacked }: { archive: string; unpacked: string }) {
  const bytes = readFileSync(archive);
  const manifest: { name: string; version: string } = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8'));
  const digest = (algorithm: string, encoding: 'hex' | 'base64') =>
    createHash(algorithm).update(bytes).digest(encoding);
  const digests = { integrity: `sha512-${digest('sha512', 'base64')}`, shasum: digest('sha1', 'hex') };
  return { name: manifest.name, manifest, bytes, digests };
}

/**
 * A cache that shares the contents of the user's, by their digests, but not what npx installed from an earlier archive of the same version.
 */
function cacheOfItsOwn(users: string, folder: string): string {
  const cache = join(folder, 'npm-cache');
  rmSync(cache, { recursive: true, force: true });
  mkdirSync(cache);
  mkdirSync(join(users, '_cacache'), { recursive: true });
  symlinkSync(join(users, '_cacache'), join(cache, '_cacache'));
  return cache;
}

/** npm reads these in any case of letters. */
function withoutSettings(env: NodeJS.ProcessEnv) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^npm_config_(registry|cache)$/i.test(name)));
}
