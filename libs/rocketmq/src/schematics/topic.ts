// `nest g -c nestjs-rocketmq topic NAME`

import { posix } from 'node:path';
import type { TopicType } from '../protocol/model/message.js';
import { type PlaceOptions, placeOf } from './names.js';
import { assertTypeScript, Formatter, type Rule, SchematicError } from './project.js';
import { createFrom } from './templates.js';

/** The options of `nest g -c nestjs-rocketmq topic`. */
export interface TopicOptions extends PlaceOptions {
  readonly type?: TopicType;
  readonly language?: string;
}

/** Creates the definition of a topic. */
export function topic({ type = 'normal', language, ...options }: TopicOptions): Rule {
  return async (tree) => {
    assertTypeScript(language);
    const { name, className, folder } = placeOf(options);
    const path = posix.join(folder, `${name}.topic.ts`);
    const file = { template: 'reminder.topic.ts', path, names: { name, className } };
    const isNew = await createFrom(tree, new Formatter(process.cwd()), file, (text) =>
      text.replace("'delay'", `'${type}'`),
    );
    if (!isNew) throw new SchematicError(`${path} exists already. Nothing was changed.`);
  };
}
