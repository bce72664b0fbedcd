// npm run docs: puts the files of docs/examples and the numbers of the code into the documents that name them, and writes the documents that
// are made from the sources.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { documents, exampleText, root } from '../../tools/documents.js';
import { CONFIGURATION, configurationPage } from './configuration.js';
import { embedHelp } from './embed-help.js';
import { facts, withFacts } from './facts.js';
import { LICENCES, licences, licencesPage } from './licences.js';

writeFileSync(CONFIGURATION, configurationPage());
writeFileSync(LICENCES, licencesPage(await licences()));

const known = facts();
for (const document of documents()) {
  const file = join(root, document);
  const text = readFileSync(file, 'utf8');
  const updated = withFacts(text, known).replace(
    /(<!-- code: (\S+) -->\n```(?:ts|json|prisma|java|go)\n)[\s\S]*?```/g,
    (_, head: string, example: string) => {
      return `${head}${exampleText(example)}\`\`\``;
    },
  );
  if (updated !== text) writeFileSync(file, updated);
}

await embedHelp();
