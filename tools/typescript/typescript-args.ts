/** What Node needs before the name of a TypeScript program of this repository. */
export const TYPESCRIPT_ARGS = ['--no-warnings', '--import', new URL('./run-typescript.mjs', import.meta.url).href];
