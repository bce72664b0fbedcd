// A plugin of TypeDoc: names each entry point as one imports it.

import { Converter, ReflectionKind } from 'typedoc';

/** A file of the entries of a package, as TypeDoc names it. */
const ENTRY = /^(rocketmq|console)\/src\/entries\/([\w/-]+)$/;
/** By their folders in libs. */
const PACKAGES = { rocketmq: 'nestjs-rocketmq', console: 'nestjs-rocketmq-console' };

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => {
    for (const entry of context.project.getReflectionsByKind(ReflectionKind.Module)) {
      const [, folder, name] = ENTRY.exec(entry.name) ?? [];
      if (folder === undefined) throw new Error(`no package has the entry ${entry.name}`);
      entry.name = PACKAGES[folder] + (name === 'nest' ? '' : `/${name}`);
    }
  });
}
