// A plugin of TypeDoc: names each entry point as one imports it.

import { Converter, ReflectionKind } from 'typedoc';

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => {
    for (const entry of context.project.getReflectionsByKind(ReflectionKind.Module)) {
      entry.name = entry.name === 'nest' ? 'nestjs-rocketmq' : `nestjs-rocketmq/${entry.name}`;
    }
  });
}
