// npm run docs: puts the files of docs/examples into the documents that name them.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const documents = ['README.md', ...readdirSync(join(root, 'docs/guide')).map((name) => `docs/guide/${name}`)];

for (const document of documents) {
  const file = join(root, document);
  const text = readFileSync(file, 'utf8');
  const mended = text.replace(/(<!-- code: (\S+) -->\n```(?:ts|json)\n)[\s\S]*?```/g, (_, head, example) => {
    return `${head}${readFileSync(join(root, example), 'utf8')}\`\`\``;
  });
  if (mended !== text) writeFileSync(file, mended);
}
