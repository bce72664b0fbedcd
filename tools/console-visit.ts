// What a browser does with the address that a console of its own prints: it opens the page, then asks for what the page asks for.

/**
 * @param address with its token
 * @param options another name or address of the machine, by which to open it
 * @returns gives the JSON of a path below /api
 * @throws Error with the answer that was not good
 */
export async function visitConsole(
  address: string,
  { host }: { host?: string } = {},
  // biome-ignore lint/suspicious/noExplicitAny: answers are read as they are
): Promise<(path: string) => Promise<any>> {
  const url = new URL(address);
  if (host !== undefined) url.hostname = host;
  const welcome = await fetch(url, { redirect: 'manual' });
  const [cookie = ''] = (welcome.headers.get('set-cookie') ?? '').split(';');
  if (welcome.status !== 303)
    throw new Error(`${url.host} answers the token with ${welcome.status} ${await welcome.text()}`);
  const get = async (path: string) => {
    const response = await fetch(new URL(path, url.origin), { headers: { cookie } });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${path}: ${response.status} ${text}`);
    return text;
  };
  const [, script] = /"(assets\/[\w.-]+\.js)"/.exec(await get('/')) ?? [];
  if (script === undefined) throw new Error('the page names no script');
  await get(`/${script}`);
  return async (path) => JSON.parse(await get(`/api${path}`));
}
