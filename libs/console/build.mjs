// Builds what the browser loads into dist/web: one script, one style sheet, one page. Fails over the budget.

import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const MOST_GZIPPED_BYTES = 60 * 1024;
const from = join(import.meta.dirname, 'web');
const to = join(import.meta.dirname, 'dist', 'web');

rmSync(to, { recursive: true, force: true });
mkdirSync(to, { recursive: true });
const options = { bundle: true, minify: true, outdir: to, logLevel: 'warning', target: 'es2022' };
await build({
  ...options,
  entryPoints: [join(from, 'main.tsx'), join(from, 'style.css')],
  format: 'esm',
  splitting: true,
  jsx: 'automatic',
  jsxImportSource: 'preact',
});
copyFileSync(join(from, 'index.html'), join(to, 'index.html'));

const sizes = readdirSync(to).map((file) => gzipSync(readFileSync(join(to, file))).length);
const bytes = sizes.reduce((sum, size) => sum + size, 0);
if (bytes > MOST_GZIPPED_BYTES)
  throw new Error(`dist/web has ${bytes} bytes gzipped, more than the budget of ${MOST_GZIPPED_BYTES}`);
