// The files that schematics create: the sample in schematics/files, which is tested as it stands, under another name.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageFolder } from './package-folder.js';
import { type Formatter, isEsm, type ProjectTree, usesVitest } from './project.js';

/** The names that replace those of the sample. */
interface TemplateNames {
  /** The topic, in kebab case. */
  readonly name: string;
  readonly className: string;
  /** The file that declares the topic, as the created file imports it, without its ending. Default: it is beside that file. */
  readonly topicImport?: string;
}

/** A file of `schematics/files` as it stands. */
export function templateText(template: string): string {
  return readFileSync(join(packageFolder(), 'schematics', 'files', template), 'utf8');
}

/** Creates a file from a template, formatted as the project's. @returns false when there is one already, which is left alone */
export async function createFrom(
  tree: ProjectTree,
  formatter: Formatter,
  { template, path, names }: { readonly template: string; readonly path: string; readonly names: TemplateNames },
  change: (text: string) => string = (text) => text,
): Promise<boolean> {
  if (tree.exists(path)) return false;
  const text = change(renamed(templateText(template), names, tree));
  tree.create(path, await formatter.formatted(path, text));
  return true;
}

/** The sample's names are replaced, and what its project has and others do not. */
function renamed(text: string, { name, className, topicImport }: TemplateNames, tree: ProjectTree): string {
  return (
    text
      // Projects of Nest have the functions of Jest as globals; those of Vitest may have none.
      .replace(
        "import { expect, it } from '@jest/globals';\n",
        usesVitest(tree) ? "import { expect, it } from 'vitest';\n" : '',
      )
      .replaceAll('reminder', name)
      .replaceAll('Reminder', className)
      .replace(`'./${name}.topic.js'`, `'${topicImport ?? `./${name}.topic`}.js'`)
      .replace(/(from '\.[^']*)\.js'/g, isEsm(tree) ? "$1.js'" : "$1'")
  );
}
